// Drives the server with the TypeScript SDK 1.x, which knows the older handshake only.
//
// Usage: node typescript_sdk.mjs NAME SHIM PROJECT FOLDER; FOLDER is where npm installed the SDK.
// The SDK checks structured content against the schema of the tool and throws where it does not fit.

import { createRequire } from "node:module";
import { check, mainJob } from "./checks.mjs";

const [name, shim, project, folder] = process.argv.slice(2);
const installed = createRequire(`${folder}/`);
const { Client } = installed("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = installed("@modelcontextprotocol/sdk/client/stdio.js");
const callMsMax = 50_000;

await check(name, "connects and leaves", async () => {
  const client = new Client({ name: "outside-client", version: "1" });
  await client.connect(new StdioClientTransport({ command: shim }));
  const list = async () => (await client.listTools()).tools;
  const call = (tool, given) => client.callTool({ name: tool, arguments: given }, undefined, { timeout: callMsMax });
  await mainJob(name, project, list, call);
  await client.close();
});
