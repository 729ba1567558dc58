// Drives the server with the TypeScript client 2.x, in one mode of it: `auto` (asks for the newer protocol first) or
// `legacy` (the older handshake).
//
// Usage: node typescript_client.mjs NAME SHIM PROJECT FOLDER MODE; FOLDER is where npm installed the client.
// The client checks structured content against the schema of the tool and throws where it does not fit.

import { createRequire } from "node:module";
import { check, demand, mainJob } from "./checks.mjs";

const [name, shim, project, folder, mode] = process.argv.slice(2);
const installed = createRequire(`${folder}/`);
const { Client } = installed("@modelcontextprotocol/client");
const { StdioClientTransport } = installed("@modelcontextprotocol/client/stdio");
const versions = { auto: "2026-07-28", legacy: "2025-11-25" };
const callMsMax = 50_000;

await check(name, "connects and leaves", async () => {
  const client = new Client({ name: "outside-client", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(new StdioClientTransport({ command: shim }));
  await check(name, `speaks ${versions[mode]}`, () => {
    const agreed = client.getNegotiatedProtocolVersion();
    demand(agreed === versions[mode], `it speaks ${agreed}`);
  });
  const list = async () => (await client.listTools()).tools;
  const call = (tool, given) => client.callTool({ name: tool, arguments: given }, { timeout: callMsMax });
  await mainJob(name, project, list, call);
  await client.close();
});
