//! SIGHUP: another configuration, nothing lost; a bad one changes nothing.

use nix::sys::signal::Signal;
use serde_json::json;

use super::client::{ALONE, Manager, Service, configure, eventually};
use crate::cli::{Home, call};

fn with_provider(name: &str) -> String {
    format!("{ALONE}[[providers]]\nname = \"{name}\"\ntype = \"openai\"\n")
}

#[test]
fn another_configuration_takes_effect_and_nothing_is_lost() {
    let service = Service::configured(&with_provider("old"));
    service.observe(&[call("mine", 429, json!({"retry-after": "600"}))]);
    configure(&service.home, &with_provider("new"));
    service.send(Signal::SIGHUP);
    eventually(|| (service.get("/v1/signals/new").status == 200).then_some(()));
    assert_eq!(service.signal("mine")["status"], json!("exhausted"));
}

#[test]
fn a_broken_configuration_is_told_and_the_old_one_stays() {
    let home = Home::new();
    configure(&home, &with_provider("old"));
    let manager = Manager::new(&home);
    let service = Service::at(home, &[("NOTIFY_SOCKET", manager.path())]);
    assert_eq!(manager.told(), "READY=1\n");
    configure(&service.home, "[service]\nlisten = 7\n");
    service.send(Signal::SIGHUP);
    assert!(manager.told().starts_with("RELOADING=1\n"));
    assert_eq!(manager.told(), "READY=1\n");
    assert_eq!(service.get("/v1/signals/old").status, 200);
    let log = service.end();
    assert!(log.contains("the configuration stays as it was"), "{log}");
    assert!(log.contains("line 2: `service.listen`"), "{log}");
}

#[test]
fn profiles_are_read_anew() {
    let service = Service::start();
    let with_header = json!({"x-mine-left": "7"});
    let observe = || {
        let mut mine = call("mine", 200, with_header.clone());
        mine["type"] = json!("my-gateway");
        service.observe(&[mine]);
        service.signal("mine")["quota_remaining"].clone()
    };
    assert_eq!(observe(), json!(null));
    let folder = service.home.path(".config/runtime-signals/profiles");
    std::fs::create_dir_all(&folder).unwrap();
    let profile = "type = \"my-gateway\"\n\n[[limit]]\nquantity = \"requests\"\nrefill = \"window_edge\"\nremaining = \"x-mine-left\"\n";
    std::fs::write(folder.join("mine.toml"), profile).unwrap();
    let checked = service.home.run(&["profile", "check", folder.join("mine.toml").to_str().unwrap()]);
    assert_eq!(checked.status, 0, "{checked:?}");
    service.send(Signal::SIGHUP);
    eventually(|| (observe() == json!(7)).then_some(()));
}
