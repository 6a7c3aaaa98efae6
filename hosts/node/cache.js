// The signal cache on disk, shared with all programs that keep to the same files.
//
// A file is replaced by a rename under `<name>.lock`, which is linked when complete; readers take no lock. A refresh is
// announced by `<name>.refreshing`. Owners that are dead or late are replaced.

import { constants } from "node:fs";
import { link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const MOST_BYTES = 1 << 20;
const OLDEST_LOCK_MS = 2_000;

/** The cache could not do what was asked. `kind`: `invalid-name`, `cooling-down` or `io`. */
export class CacheError extends Error {
  constructor(kind, message, options) {
    super(message, options);
    this.name = "CacheError";
    this.kind = kind;
  }
}

/** `FIZEAU_CACHE_DIR`, else `fizeau` in the user's cache directory. */
export function defaultRoot({ FIZEAU_CACHE_DIR: root, XDG_CACHE_HOME: caches = "" } = process.env) {
  return root || path.join(path.isAbsolute(caches) ? caches : path.join(homedir(), ".cache"), "fizeau");
}

/** Throws unless the name can be that of a file. */
export function checkName(name) {
  const rules = [
    ["must have 1 to 128 bytes", name.length === 0 || Buffer.byteLength(name) > 128],
    ["must not begin with a dot", name.startsWith(".")],
    ["must not contain a separator", /[/\\]/.test(name)],
    ["must not contain a control character", /\p{Cc}/u.test(name)],
  ];
  const broken = rules.find(([, isBroken]) => isBroken);
  if (broken) throw new CacheError("invalid-name", `the provider name ${JSON.stringify(name)} ${broken[0]}`);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}

/** Does it, and says whether it was not hindered by something that is there or is not. */
const unless = async (code, work) => {
  try {
    await work;
    return true;
  } catch (error) {
    if (error.code === code) return false;
    throw error;
  }
};

let privateFiles = 0;

/** The cache under one root, for all of this process that use it, and for other processes. */
export class SignalCache {
  constructor(root = defaultRoot(), options = {}) {
    this.tier = path.join(root, "runtime");
    this.ttlMs = options.ttlMs ?? 300_000;
    this.refreshDeadlineMs = options.refreshDeadlineMs ?? 5_000;
    this.lockTimeoutMs = options.lockTimeoutMs ?? 100;
    this.failureCooldownMs = options.failureCooldownMs ?? 250;
    this.now = options.now ?? Date.now;
  }

  #file(name, extension) {
    checkName(name);
    return path.join(this.tier, `${name}.${extension}`);
  }

  /** What is stored and when it was written; undefined where there is nothing that can be a signal. */
  async read(name) {
    const file = this.#file(name, "json");
    let handle;
    try {
      handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const { size, mtimeMs } = await handle.stat();
      return size > MOST_BYTES ? undefined : { json: await handle.readFile(), modifiedMs: mtimeMs };
    } catch (error) {
      if (["ENOENT", "ELOOP", "EISDIR"].includes(error.code)) return undefined;
      throw new CacheError("io", `cannot read ${file}: ${error.message}`, { cause: error });
    } finally {
      await handle?.close();
    }
  }

  /** Replaces what is stored by what `decide` makes of it; undefined leaves it. Returns what is there then. */
  async commit(name, durable, decide) {
    const file = this.#file(name, "json");
    try {
      await mkdir(this.tier, { recursive: true, mode: 0o700 });
      return await this.#locked(this.#file(name, "lock"), async () => {
        const stored = (await this.read(name))?.json;
        const json = decide(stored);
        if (json === undefined) return stored;
        await this.#withPrivate(json, durable, (mine) => rename(mine, file));
        return json;
      });
    } catch (error) {
      if (error.code === undefined) throw error;
      throw new CacheError("io", `cannot write ${file}: ${error.message}`, { cause: error });
    }
  }

  /** Claims the refresh, or waits for another's. Whether it is the caller's, until `endRefresh`. */
  async claimRefresh(name) {
    const file = this.#file(name, "refreshing");
    await mkdir(this.tier, { recursive: true, mode: 0o700 });
    const ends = performance.now() + this.refreshDeadlineMs;
    for (let tries = 0; ; tries += 1) {
      if (await this.#announce(file, this.refreshDeadlineMs)) {
        if (tries === 0) return true;
        // The other has ended: what it stored serves.
        await rm(file, { force: true });
        return false;
      }
      const failure = (await this.#marker(file))?.last_error;
      if (failure) throw new CacheError("cooling-down", failure);
      if (performance.now() >= ends) return false;
      await pause(5);
    }
  }

  /** Ends the claimed refresh; a failure keeps others away for the cool-down. */
  async endRefresh(name, failure) {
    const file = this.#file(name, "refreshing");
    await rm(file, { force: true });
    if (failure !== undefined) await this.#announce(file, this.failureCooldownMs, failure.slice(0, 512));
  }

  async #announce(file, endsInMs, failure) {
    const times = { started_at: new Date(this.now()), deadline: new Date(this.now() + endsInMs) };
    const content = JSON.stringify({ pid: process.pid, ...times, ...(failure && { last_error: failure }) });
    return this.#withPrivate(content, false, async (mine) => {
      if (await unless("EEXIST", link(mine, file))) return true;
      const found = await stat(file).catch(() => undefined);
      if (await this.#marker(file)) return false;
      await removeStale(file, found);
      return unless("EEXIST", link(mine, file));
    });
  }

  /** A marker that is in force. */
  async #marker(file) {
    const marker = await parsed(file);
    const grace = marker?.last_error ? 0 : 2 * this.refreshDeadlineMs;
    return this.now() <= Date.parse(marker?.deadline) + grace && isAlive(marker.pid) ? marker : undefined;
  }

  async #locked(file, work) {
    const ends = performance.now() + this.lockTimeoutMs;
    const content = JSON.stringify({ pid: process.pid, started_at: new Date(this.now()) });
    return this.#withPrivate(content, false, async (mine) => {
      while (!(await unless("EEXIST", link(mine, file)))) {
        const found = await stat(file).catch(() => undefined);
        const owner = found && (await parsed(file));
        const isOld = found && Date.now() - found.mtimeMs > OLDEST_LOCK_MS;
        if (isOld || (owner && !isAlive(owner.pid))) {
          await removeStale(file, found);
        } else if (performance.now() >= ends) {
          throw new CacheError("io", `${file} is held by another process; nothing was written: try again`);
        } else {
          await pause(1);
        }
      }
      try {
        return await work();
      } finally {
        await rm(file, { force: true });
      }
    });
  }

  /** Calls `use` with a file of our own that has this content; it is gone at the end unless it was moved. */
  async #withPrivate(content, durable, use) {
    privateFiles += 1;
    const mine = path.join(this.tier, `.tmp-${process.pid}-${privateFiles}`);
    const handle = await open(mine, "wx", 0o600);
    try {
      await handle.writeFile(content);
      if (durable) await handle.sync();
    } finally {
      await handle.close();
    }
    try {
      return await use(mine);
    } finally {
      await rm(mine, { force: true });
    }
  }
}

/** Removes a side file, unless it is gone meanwhile: the next may stand there already. */
async function removeStale(file, found) {
  const standing = await stat(file).catch(() => undefined);
  if (found && standing?.ino === found.ino) await rm(file, { force: true });
}

/** The JSON of a side file; undefined where it has none. */
async function parsed(file) {
  try {
    const handle = await open(file, "r");
    try {
      return JSON.parse(await handle.readFile("utf8"));
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
