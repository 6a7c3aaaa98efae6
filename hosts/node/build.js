// Transpiles the engine component into an ES module, `engine/engine.js`: `node build.js [engine.wasm]`.

import { transpile, writeFiles } from "@bytecodealliance/jco-transpile";

const component = process.argv[2] ?? "../../target/components/engine.wasm";
const outDir = new URL("engine", import.meta.url).pathname;
// The engine imports nothing, so nothing of WASI is mapped to anything. Each call of `instantiate` gives an instance.
const { files, imports } = await transpile(component, { name: "engine", outDir, instantiation: "async" });
if (imports.length > 0) {
  throw new Error(`${component} imports ${imports.join(", ")}: it is not the engine`);
}
await writeFiles(files);
