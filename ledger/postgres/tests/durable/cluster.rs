//! The private cluster: who may have it, and what ends it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use store::{Cluster, ClusterOptions, Error};
use tokio_postgres::NoTls;

use crate::scratch::Scratch;

/// Tells the helper below that it is one, and where its cluster is to be.
const HELPER: &str = "SWITCHYARD_HELPER_CLUSTER";

pub(crate) fn options(path: &Path) -> ClusterOptions {
    ClusterOptions { unsafe_test: true, ..ClusterOptions::new(path) }
}

fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

async fn one(cluster: &Cluster, question: &str) -> String {
    let (client, connection) = cluster.admin_config("postgres").connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(question, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_cluster_survives_stop_and_crash_and_belongs_to_one_process() {
    let scratch = Scratch::new();
    let cluster = Cluster::start(options(scratch.path())).unwrap();
    assert!(cluster.notices().is_empty());
    let (client, connection) = cluster.admin_config("postgres").connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("create table kept as select 'kept'::text as it").await.unwrap();
    for (setting, wanted) in [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on"), ("listen_addresses", "")]
    {
        assert_eq!(one(&cluster, &format!("select current_setting('{setting}')")).await, wanted);
    }
    assert_eq!(std::fs::metadata(cluster.socket_dir()).unwrap().mode() & 0o777, 0o700);

    // Ctrl-C at a terminal must not reach it before we have drained.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", cluster.pid().unwrap())).unwrap();
    let group = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(2).unwrap().to_owned();
    assert_eq!(group, cluster.pid().unwrap().to_string());

    let again = Cluster::start(options(scratch.path()));
    let by = format!("process {}", std::process::id());
    assert_eq!(again.err(), Some(Error::InUse { path: cluster.data_dir().to_owned(), by }));

    let before = cluster.pid().unwrap();
    cluster.kill9();
    assert_eq!(cluster.pid(), None);
    assert!(!is_running(before));
    cluster.ensure_running().unwrap();
    assert_ne!(cluster.pid(), Some(before));
    assert_eq!(one(&cluster, "select it from kept").await, "kept");

    let last = cluster.pid().unwrap();
    cluster.stop();
    assert!(!is_running(last));
    let cluster = Cluster::start(options(scratch.path())).unwrap();
    assert_eq!(one(&cluster, "select it from kept").await, "kept");
}

#[test]
fn a_folder_that_the_server_cannot_enter_is_replaced_and_said() {
    if !rustix::process::geteuid().is_root() {
        return; // A normal user's server can enter what he can.
    }
    let scratch = Scratch::new();
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let wanted = scratch.path().join("data");
    let cluster = Cluster::start(options(&wanted)).unwrap();
    let used = cluster.data_dir().to_owned();
    assert!(used.starts_with("/var/tmp") && !used.starts_with(scratch.path()), "{}", used.display());
    assert!(cluster.notices().iter().any(|notice| notice.contains(&wanted.display().to_string())), "{:?}", cluster.notices());
    cluster.stop();
    std::fs::remove_dir_all(used).unwrap();
}

#[test]
fn a_path_that_is_too_long_for_a_socket_gets_one_elsewhere() {
    let scratch = Scratch::new();
    let cluster = Cluster::start(options(&scratch.path().join("a".repeat(60)).join("b".repeat(60)))).unwrap();
    assert!(cluster.data_dir().starts_with(scratch.path()) && !cluster.socket_dir().starts_with(scratch.path()));
    assert!(cluster.notices().iter().any(|notice| notice.contains("too long")), "{:?}", cluster.notices());
    let socket = cluster.socket_dir().to_owned();
    cluster.stop();
    std::fs::remove_dir(socket).unwrap();
}

#[test]
fn memory_is_refused_where_anything_must_last() {
    let path = Path::new("/dev/shm").join(format!("switchyard-{}", std::process::id()));
    assert_eq!(Cluster::start(ClusterOptions::new(&path)).err(), Some(Error::InMemory { path: path.clone() }));
    std::fs::remove_dir(&path).unwrap();
}

#[test]
fn what_is_not_a_cluster_is_left_alone() {
    let scratch = Scratch::new();
    let data = scratch.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("thesis.txt"), "years").unwrap();
    assert_eq!(Cluster::start(options(scratch.path())).err(), Some(Error::NotACluster { path: data.clone() }));
    assert_eq!(std::fs::read_to_string(data.join("thesis.txt")).unwrap(), "years");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let scratch = Scratch::new();
    let settings = vec![("shared_buffers".to_owned(), "many".to_owned())];
    match Cluster::start(ClusterOptions { settings, ..options(scratch.path()) }) {
        Err(Error::Start { log, .. }) => assert!(log.contains("shared_buffers"), "{log}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_server_ends_when_its_owner_is_killed() {
    let scratch = Scratch::new();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::helper_that_owns_a_cluster_until_it_is_killed", "--nocapture"])
        .env(HELPER, scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(owner.stdout.take().unwrap());
    let pid = said.lines().find_map(|line| line.unwrap().strip_prefix("server ")?.parse::<u32>().ok()).unwrap();
    assert!(is_running(pid));
    owner.kill().unwrap();
    owner.wait().unwrap();
    // Whoever comes next is made to wait until it is gone, and finds a clean end in the log.
    let next = Cluster::start(options(scratch.path())).unwrap();
    assert!(!is_running(pid));
    assert_ne!(next.pid(), Some(pid));
    let log = std::fs::read_to_string(next.log()).unwrap();
    assert!(log.contains("received fast shutdown request"), "{log}");
}

/// Not a test of its own: the process that the test above kills.
#[test]
fn helper_that_owns_a_cluster_until_it_is_killed() {
    let Some(path) = std::env::var_os(HELPER) else { return };
    let cluster = Cluster::start(options(Path::new(&path))).unwrap();
    println!("\nserver {}", cluster.pid().unwrap());
    // Ends with the pipe, should the one who kills us be killed first.
    std::io::stdin().lines().for_each(drop);
}
