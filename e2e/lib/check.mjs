// What a check is: one thing that must be so, with a name. Nothing is retried; what takes time is polled for.

/** How long anything may take. */
export const DEADLINE_MS = Number(process.env.DEADLINE_S ?? 60) * 1_000;

/** How many checks passed, and the names of those that did not. */
export const tally = { passed: 0, failures: [] };

/** Runs one check; a failure is noted and the next check goes on. */
export async function check(name, body) {
  const begun = Date.now();
  try {
    await body();
    tally.passed += 1;
    console.log(`ok    ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    tally.failures.push(name);
    console.log(`FAIL  ${name}\n      ${String(error.message ?? error).split("\n").slice(0, 6).join("\n      ")}`);
  }
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

/** Polls until `read` gives what `wanted` accepts. */
export async function until(what, read, wanted) {
  const end = Date.now() + DEADLINE_MS;
  let seen;
  while (Date.now() < end) {
    seen = await read();
    if (wanted(seen)) return seen;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(`${what}: still ${JSON.stringify(seen)} after ${DEADLINE_MS / 1000} s`);
}
