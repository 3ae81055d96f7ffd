//! Publishing: nobody sees a file before it is proved, and nobody sees half of one.
//!
//! `.tmp` in the same directory, fsync, read back and prove, manifest, fsync, rename the data, rename the
//! manifest, fsync the directory. The manifest is the mark: consumers look for manifests only. A crash at any
//! point leaves nothing that looks published; the next run makes the same bytes, or finds its manifest.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use payments::Currency;
use sha2::{Digest, Sha256};

use super::build::{Unseal, build};
use super::endpoint::Endpoint;
use super::error::Error;
use super::freeze::Frozen;
use super::manifest::Manifest;
use super::prove::prove;

/// Largest manifest that is read.
const MAX_MANIFEST: u64 = 1 << 20;

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What it is.
    pub manifest: Manifest,
    /// The data file.
    pub data: PathBuf,
    /// The manifest's file.
    pub mark: PathBuf,
    /// Whether it was there already, published by an earlier run.
    pub found: bool,
}

/// The edges of publishing, in order, for faults that tests arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The data is written and synced under its temporary name.
    Written,
    /// It is read back and proved.
    Proved,
    /// The manifest is written and synced under its temporary name.
    Described,
    /// The data has its name.
    DataNamed,
    /// The manifest has its name; the directory is not synced.
    ManifestNamed,
}

impl Step {
    /// All of them in order.
    pub const ALL: [Step; 5] = [Step::Written, Step::Proved, Step::Described, Step::DataNamed, Step::ManifestNamed];
}

/// Builds, proves and publishes a file in `directory` (made with mode 0700 where it is not there; files have
/// mode 0600, for they hold account numbers). `ledger` is the net by currency of the ledger's own journals.
/// Blocking: it syncs. `at` is called at each step, and a fault that it returns stops there, as a crash would.
pub fn publish(
    directory: &Path,
    endpoint: &Endpoint,
    frozen: &Frozen,
    cards: &mut dyn Unseal,
    ledger: &BTreeMap<Currency, i128>,
    at: &mut dyn FnMut(Step) -> Result<(), Error>,
) -> Result<Published, Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(Error::io("make the directory"))?;
    let stem = Manifest::stem(endpoint, frozen);
    let (data, mark) = (directory.join(format!("{stem}.ipm")), directory.join(format!("{stem}.json")));
    let (temporary, temporary_mark) = (directory.join(format!(".tmp-{stem}.ipm")), directory.join(format!(".tmp-{stem}.json")));
    if let Some(manifest) = read_manifest(&mark)? {
        // Our own earlier run, unless somebody else's file has this name.
        let same = manifest.file_id.as_str() == frozen.id.as_str()
            && manifest.frozen_at == frozen.key.frozen_at
            && manifest.presentments == u64::try_from(frozen.items.len()).unwrap_or(u64::MAX);
        if !same {
            return Err(Error::Conflict);
        }
        prove(open(&data)?, endpoint.format(), frozen, ledger)?;
        sync_directory(directory)?;
        return Ok(Published { manifest, data, mark, found: true });
    }
    let (file, manifest) = build(endpoint, frozen, cards, BufWriter::with_capacity(1 << 17, create(&temporary)?))?;
    let file = file.into_inner().map_err(|error| Error::io("write the file")(error.into_error()))?;
    file.sync_all().map_err(Error::io("sync the file"))?;
    drop(file);
    at(Step::Written)?;
    prove(open(&temporary)?, endpoint.format(), frozen, ledger)?;
    check_data(&temporary, &manifest)?;
    at(Step::Proved)?;
    let mut file = create(&temporary_mark)?;
    file.write_all(&manifest.to_bytes()?).map_err(Error::io("write the manifest"))?;
    file.sync_all().map_err(Error::io("sync the manifest"))?;
    at(Step::Described)?;
    fs::rename(&temporary, &data).map_err(Error::io("name the file"))?;
    at(Step::DataNamed)?;
    // The mark may become durable only after the data's name is.
    sync_directory(directory)?;
    fs::rename(&temporary_mark, &mark).map_err(Error::io("name the manifest"))?;
    at(Step::ManifestNamed)?;
    sync_directory(directory)?;
    Ok(Published { manifest, data, mark, found: false })
}

/// Reads a manifest and checks its data file against it. `None` where there is no manifest.
pub fn read_manifest(mark: &Path) -> Result<Option<Manifest>, Error> {
    let file = match File::open(mark) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open the manifest")(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_MANIFEST).read_to_end(&mut bytes).map_err(Error::io("read the manifest"))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|_| Error::Damaged("its manifest is not one"))?;
    let plain = Path::new(&manifest.file).components().count() == 1 && !manifest.file.starts_with('.');
    if !manifest.is_known() || !plain {
        return Err(Error::Damaged("its manifest is of another kind"));
    }
    check_data(&mark.with_file_name(&manifest.file), &manifest)?;
    Ok(Some(manifest))
}

/// Whether the bytes on disk are those of the manifest.
fn check_data(data: &Path, manifest: &Manifest) -> Result<(), Error> {
    let mut source = open(data)?;
    let (mut digest, mut bytes, mut buffer) = (Sha256::new(), 0u64, vec![0; 1 << 16]);
    loop {
        let count = source.read(&mut buffer).map_err(Error::io("read the file"))?;
        if count == 0 {
            break;
        }
        digest.update(buffer.get(..count).unwrap_or_default());
        bytes = bytes.saturating_add(u64::try_from(count).unwrap_or(0));
    }
    if bytes != manifest.bytes || hex::encode(digest.finalize()) != manifest.sha256.as_str() {
        return Err(Error::Damaged("its bytes are not those of its manifest"));
    }
    Ok(())
}

fn create(path: &Path) -> Result<File, Error> {
    // A leftover of an earlier run may have other content and another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io("remove a leftover")(error)),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(Error::io("create the file"))
}

fn open(path: &Path) -> Result<BufReader<File>, Error> {
    File::open(path).map(|file| BufReader::with_capacity(1 << 16, file)).map_err(Error::io("open the file"))
}

fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(Error::io("sync the directory"))
}
