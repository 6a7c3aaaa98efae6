//! The service, and what it is configured with.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use minisign::KeyPair;

use crate::mocks;
use crate::redis_server::RedisServer;
use crate::served::Served;
use crate::versions::versions;

/// Lines of the log that are shown.
const MOST_SHOWN: u64 = 30;

/// Everything that runs.
pub(crate) struct Scene {
    pub(crate) served: Served,
    pub(crate) redis: RedisServer,
    pub(crate) publisher: Publisher,
}

/// Puts signed versions of a parser into the directory that is watched.
pub(crate) struct Publisher {
    folder: PathBuf,
    /// Each with its signature.
    versions: [(Vec<u8>, String); 2],
}

impl Publisher {
    fn new(folder: PathBuf, key: &KeyPair) -> Self {
        fs::create_dir(&folder).unwrap();
        let signed = |bytes: Vec<u8>| {
            let signature =
                minisign::sign(None, &key.sk, bytes.as_slice(), None, None).unwrap().into_string();
            (bytes, signature)
        };
        Self { folder, versions: versions().map(signed) }
    }

    /// Replaces what is there by this version, each file as a whole.
    pub(crate) fn publish(&self, version: usize) {
        let (bytes, signature) = &self.versions[version];
        self.replace("acme.wasm.minisig", signature.as_bytes());
        self.replace("acme.wasm", bytes);
    }

    fn replace(&self, name: &str, content: &[u8]) {
        let new = self.folder.join(".new");
        fs::write(&new, content).unwrap();
        fs::rename(&new, self.folder.join(name)).unwrap();
    }
}

/// How often the service's log warns and tells of errors.
pub(crate) struct Log {
    pub(crate) warnings: u64,
    pub(crate) errors: u64,
}

impl Scene {
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let redis = RedisServer::start();
        let key = KeyPair::generate_unencrypted_keypair().unwrap();
        let publisher = Publisher::new(home.path().join("parsers"), &key);
        publisher.publish(0);
        let configuration = format!(
            "[discovery]\nenabled = false\n[refresh]\ninterval = \"3s\"\nlongest_backoff = \"12s\"\n\
             [shared]\nurl = \"{}\"\n[parsers]\ndirectory = \"{}\"\nallow_downgrade = true\n\
             [[parsers.keys]]\nname = \"acme\"\npublic_key = \"{}\"\nprovider_types = [\"acme\"]\n{}",
            redis.url(),
            publisher.folder.display(),
            key.pk.to_base64(),
            mocks::start()
        );
        let log = File::create(home.path().join("log")).unwrap();
        Self { served: Served::at(home, &configuration, log.into()), redis, publisher }
    }

    /// Where signals are stored.
    pub(crate) fn runtime_folder(&self) -> PathBuf {
        runtime_folder(&self.served)
    }

    /// What the service has left beside signals.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let names = fs::read_dir(self.runtime_folder()).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        let mut others: Vec<String> =
            names.filter(|name| !name.ends_with(".json") && name != ".guard").collect();
        others.sort();
        others
    }

    pub(crate) fn log(&self) -> Log {
        let lines = BufReader::new(File::open(self.served.home().join("log")).unwrap()).lines();
        let mut log = Log { warnings: 0, errors: 0 };
        for line in lines.map_while(Result::ok) {
            let is_error = line.contains("ERROR ") || line.contains("panicked");
            let is_warning = line.contains(" WARN ");
            log.errors += u64::from(is_error);
            log.warnings += u64::from(is_warning);
            if (is_error || is_warning) && log.errors + log.warnings <= MOST_SHOWN {
                println!("log: {line}");
            }
        }
        log
    }
}

/// Where a service stores signals.
pub(crate) fn runtime_folder(served: &Served) -> PathBuf {
    served.home().join(Path::new(".cache/fizeau/runtime"))
}
