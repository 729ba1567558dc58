// What the client scripts for Node share: one printed line a check, and the main job of `main_job.json`.
//
// A check that fails says so and the script goes on; the caller counts the lines. It must never know one client.
// `checks.py` is the same for Python.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

const job = JSON.parse(readFileSync(new URL("main_job.json", import.meta.url), "utf8"));
const nobodysId = "00000000-0000-7000-8000-000000000000";
// Longest text of a failure.
const saidMax = 1000;

// What a library complains about goes to the console, not to its caller.
const complaints = [];
console.warn = console.error = (...words) => complaints.push(words.join(" "));

export async function check(client, what, body) {
  try {
    await body();
    console.log(`ok ${client}: ${what}`);
  } catch (error) {
    console.log(`FAILED ${client}: ${what}: ${String(error).replace(/\s+/g, " ").slice(0, saidMax)}`);
  }
}

export function demand(isTrue, otherwise) {
  if (!isTrue) throw new Error(otherwise);
}

// The whole job: `list` gives the tools, `call` takes a tool and its arguments and gives the result of the protocol.
export async function mainJob(client, project, list, call) {
  const blanks = { client, project, operation: nobodysId };
  await check(client, "list", async () => demandTools(await list()));
  for (const plan of job.steps) {
    await check(client, plan.name, async () => judge(plan, await call(plan.tool, filled(plan.arguments, blanks)), blanks));
  }
  await check(client, "nothing is complained about", () => demand(complaints.length === 0, complaints.join("; ")));
}

function judge(plan, result, blanks) {
  const payload = result.structuredContent;
  const shown = JSON.stringify(payload);
  demand((result.isError ?? false) === plan.is_error, `isError is ${result.isError} in ${shown}`);
  const differs = firstDifference(filled(plan.holds, blanks), payload);
  demand(differs === undefined, `${differs} in ${shown}`);
  demand(isDeepStrictEqual(JSON.parse(result.content[0].text), payload), `the text is not the payload: ${result.content[0].text}`);
  for (const [blank, key] of Object.entries(plan.keeps ?? {})) blanks[blank] = payload[key];
}

function filled(value, blanks) {
  if (typeof value === "string") return value.replace(/\{(\w+)\}/g, (_, name) => blanks[name]);
  if (Array.isArray(value)) return value.map((inner) => filled(inner, blanks));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner, blanks)]));
}

// Where `got` does not hold what is wanted, or undefined. Objects may hold more.
function firstDifference(wanted, got, at = "") {
  if (wanted === null || typeof wanted !== "object" || Array.isArray(wanted) || got === null || typeof got !== "object") {
    return isDeepStrictEqual(wanted, got) ? undefined : `${at} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`;
  }
  return Object.entries(wanted)
    .map(([key, value]) => firstDifference(value, got[key], `${at}/${key}`))
    .find((found) => found !== undefined);
}

function demandTools(tools) {
  const names = tools.map((tool) => tool.name);
  demand(names.length === new Set(names).size, `a name is there twice: ${names}`);
  const missing = job.tools.filter((name) => !names.includes(name));
  demand(missing.length === 0, `missing: ${missing}`);
  for (const tool of tools) {
    demand(/^[a-z0-9_]{1,48}$/.test(tool.name), `${tool.name} is no portable name`);
    demand(tool.description, `${tool.name} says nothing about itself`);
    for (const schema of ["inputSchema", "outputSchema"]) {
      demand(tool[schema]?.type === "object", `${schema} of ${tool.name} is not an object's`);
    }
    for (const hint of ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]) {
      demand(typeof tool.annotations?.[hint] === "boolean", `${tool.name} lacks ${hint}`);
    }
  }
}
