//! The house as a test: floors and arrows, what each room may never hold, licences, and the few rules of
//! style that a machine can check. Every rule is also shown to fail on something that breaks it.

mod floors;
mod licences;
mod sources;

use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use floors::{Graph, Room};

/// The root of the checkout.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the package lies two folders below the root").to_path_buf()
}

/// What cargo resolved for this platform; offline, because everything was fetched to build this test.
fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(vec![
            "--offline".to_owned(),
            "--filter-platform".to_owned(),
            format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
        ])
        .exec()
        .expect("cargo metadata")
}

/// The packages of the workspace with their direct dependencies.
fn workspace(metadata: &Metadata) -> Graph {
    let root = root();
    let rooms = metadata.workspace_packages().into_iter().map(|package| {
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        let mut room = Room {
            package: package.name.to_string(),
            folder: folder.strip_prefix(&root).expect("members lie below the root").to_string(),
            ..Room::default()
        };
        for dependency in &package.dependencies {
            match dependency.kind {
                DependencyKind::Development => room.dev_uses.push(dependency.name.clone()),
                _ => room.uses.push(dependency.name.clone()),
            }
        }
        room
    });
    Graph(rooms.collect())
}

fn assert_none(rule: &str, population: usize, breaches: Vec<String>) {
    println!("{rule}: {population} looked at, {} breaches", breaches.len());
    assert_ne!(population, 0, "{rule}: the check looked at nothing");
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

#[test]
fn arrows_point_down_only() {
    let graph = workspace(&metadata());
    assert_none("arrows between packages", graph.arrows(), graph.breaches());
}

#[test]
fn architecture_page_draws_every_room_on_its_floor() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    assert_none("lines of ARCHITECTURE.md", page.lines().count(), floors::undrawn(&page));
}

#[test]
fn a_package_has_at_most_one_integration_test_binary() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let tests = |package: &&&cargo_metadata::Package| package.targets.iter().filter(|target| target.is_test()).count() > 1;
    let found = packages.iter().filter(tests).map(|package| format!("{} has several", package.name)).collect();
    assert_none("packages and their test binaries", packages.len(), found);
}

#[test]
fn rooms_hold_nothing_that_their_floor_forbids() {
    let graph = workspace(&metadata());
    assert_none("dependencies of packages", graph.outside(), graph.forbidden());
}

#[test]
fn every_dependency_is_permissively_licensed() {
    let metadata = metadata();
    let policy = licences::Policy::read(&std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml"));
    let packages: Vec<_> = metadata.packages.iter().map(|p| (p.name.to_string(), p.license.clone())).collect();
    assert_none("licences of dependencies", packages.len(), policy.breaches(&packages));
}

#[test]
fn every_crate_forbids_unsafe_code() {
    let sources = sources::rust(&root());
    assert_none("crates and unsafe code", sources::roots(&sources).count(), sources::unsafe_code(&sources));
}

#[test]
fn pure_rooms_read_no_clock_file_or_socket() {
    let sources = sources::production(&sources::rust(&root()));
    assert_none("files of pure packages", sources::pure(&sources).count(), sources::impure(&sources));
}

#[test]
fn engine_names_no_network() {
    let sources = sources::rust(&root());
    assert_none("files of the engine", sources::below(&sources, "switch/engine/").count(), sources::network_names(&sources));
}

#[test]
fn money_is_never_a_float() {
    let sources = sources::rust(&root());
    assert_none("files near money", sources::near_money(&sources).count(), sources::floats(&sources));
}

#[test]
fn sql_lives_in_the_rooms_that_own_a_schema() {
    let sources = sources::production(&sources::rust(&root()));
    assert_none("files searched for SQL", sources.len(), sources::sql(&sources));
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let texts = sources::texts(&root());
    assert_none("text files", texts.len(), sources::machine_paths(&texts));
}

#[test]
fn documentation_links_lead_somewhere_and_every_page_is_listed() {
    let texts = sources::texts(&root());
    assert_none("pages of documentation", sources::pages(&texts).count(), sources::dead_ends(&texts));
}

#[test]
fn files_stay_short_enough_to_read() {
    let sources = sources::rust(&root());
    let long = sources.iter().filter(|s| s.lines() > sources::USUAL_LINES).count();
    let longest = sources.iter().max_by_key(|s| s.lines()).expect("there are sources");
    println!("{long} of {} files have more than {} lines", sources.len(), sources::USUAL_LINES);
    println!("the longest is {} with {} lines, the bound is {}", longest.path, longest.lines(), sources::MOST_LINES);
    assert_none("lengths of source files", sources.len(), sources::too_long(&sources));
}
