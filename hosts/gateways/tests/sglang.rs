//! SGLang's router. That of the wheel cannot be told to host components.

use std::io::Write;
use std::process::Command;

use runtime_signals_gateways::client::Client;
use runtime_signals_gateways::mock::{Mock, Request, closed_port, response};
use runtime_signals_gateways::program::{Program, component, provided};
use tempfile::TempDir;

#[test]
fn the_router_of_the_wheel_hosts_no_components() {
    let worker = Mock::start(|_: &Request, to: &mut dyn Write| to.write_all(&response(200, &[], "{}")));
    let (port, folder) = (closed_port(), TempDir::new().unwrap());
    let mut router = Command::new(provided("RUNTIME_SIGNALS_SGLANG"));
    router.args(["launch", "--host", "127.0.0.1", "--port", &port.to_string()]);
    router.args(["--worker-urls", &format!("http://127.0.0.1:{}", worker.port)]);
    router.args(["--prometheus-port", &closed_port().to_string()]);
    let mut program = Program::start(&mut router, folder.path().join("log"));
    program.until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let file = folder.path().join("sglang.wasm");
    std::fs::copy(component("sglang.wasm"), &file).unwrap();
    let module = serde_json::json!({
        "name": "runtime-signals", "file_path": file, "module_type": "Middleware",
        "attach_points": [{ "Middleware": "OnResponse" }],
    });
    let modules = serde_json::json!({ "modules": [module] }).to_string();
    // Its module manager is only there with a switch that the wheel's launcher does not have.
    assert_eq!(Client::connect(port).post("router", "/wasm", &modules).status, 500);
}
