//! A configuration in force, with what belongs to it and is not in its file.
use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    config::Config,
    digest::{checksum, hex},
    event::model,
    files::read_regular,
};

/// One configuration in force.
pub struct Setup {
    /// The configuration, without errors.
    pub config: Config,
    /// What shapes events.
    pub model_options: model::Options,
    /// The files of its outputs' certificates and keys, as they were when it was read: their hash, or why they cannot be read.
    pub(super) pems: BTreeMap<PathBuf, String>,
}

impl Setup {
    /// Looks into the files that it names: to be called where a disk that hangs hangs nothing else.
    pub fn new(model_options: model::Options, config: Config) -> Setup {
        let pems = config.outputs.iter().flat_map(|o| [&o.tls.ca, &o.tls.cert, &o.tls.key]).flatten();
        let paths = pems.filter_map(|pem| pem.path().ok());
        let look = |path: PathBuf| {
            let hash = read_regular(&path, MOST_PEM).map_or_else(|e| e.to_string(), |b| hex(&checksum(&b)));
            (path, hash)
        };
        let pems = paths.map(look).collect();
        Setup { config, model_options, pems }
    }
}

/// Bytes of a file of certificates, at most.
const MOST_PEM: u64 = 16 << 20;
