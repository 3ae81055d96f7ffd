//! The floors of the house and the arrows between them (ARCHITECTURE.md has the same table for people).

/// Where a package lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A floor: it may use what lies strictly below.
    Floor(u8),
    /// Peers that judge us: the vocabulary, the codecs and the cryptography only, so that a bug in our
    /// mapping is not shared by both ends.
    Simulators,
    /// Suites and their kit: may use everything, and are used by nothing else.
    Tests,
}

/// Every package there may be, with its folder. A package that is not here fails the test: it has to be
/// given a place first.
const HOUSE: &[(&str, &str, Place)] = &[
    ("switchyard", "switch/cli", Place::Floor(6)),
    ("switchyard-switch", "switch/shell", Place::Floor(5)),
    ("switchyard-gateway", "switch/gateway", Place::Floor(5)),
    ("switchyard-settlement", "settlement", Place::Floor(5)),
    ("switchyard-engine", "switch/engine", Place::Floor(4)),
    ("switchyard-vault", "hsm/vault", Place::Floor(4)),
    ("switchyard-store", "ledger/postgres", Place::Floor(3)),
    ("switchyard-ledger", "ledger/book", Place::Floor(2)),
    ("switchyard-hsm", "hsm/operations", Place::Floor(2)),
    ("switchyard-dialects", "codecs/dialects", Place::Floor(2)),
    ("switchyard-routing", "routing/routes", Place::Floor(2)),
    ("switchyard-risk", "routing/risk", Place::Floor(2)),
    ("switchyard-iso8583", "codecs/iso8583", Place::Floor(1)),
    ("switchyard-iso20022", "codecs/iso20022", Place::Floor(1)),
    ("switchyard-files", "codecs/files", Place::Floor(1)),
    ("switchyard-crypto", "hsm/crypto", Place::Floor(1)),
    ("switchyard-payments", "payments", Place::Floor(0)),
    ("switchyard-simulators", "simulators", Place::Simulators),
    ("switchyard-testkit", "tests/testkit", Place::Tests),
    ("switchyard-conformance", "tests/conformance", Place::Tests),
    ("switchyard-simulation", "tests/simulation", Place::Tests),
    ("switchyard-system", "tests/system", Place::Tests),
];

const SIMULATORS_MAY_USE: &[&str] =
    &["switchyard-payments", "switchyard-iso8583", "switchyard-iso20022", "switchyard-files", "switchyard-crypto"];

/// The only package that tests of a lower room may use, for what it spawns.
const TESTKIT: &str = "switchyard-testkit";

const SQL: &[&str] = &["tokio-postgres", "deadpool-postgres", "refinery", "postgres", "sqlx"];
const SQL_OWNERS: &[&str] = &["switchyard-store", "switchyard-vault", "switchyard-settlement"];
/// Who puts the house together opens connections and hands them to the owners; that no statement stands
/// there is looked at in the sources.
const CONNECTS: (&str, &[&str]) = ("tokio-postgres", &["switchyard", "switchyard-switch"]);

/// Packages of floors 0 to 2 and the engine do no I/O; the HSM backends are the exception, they talk to a token.
const IO: &[&str] = &["tokio", "tokio-util", "socket2", "axum", "ureq", "rustix", "metrics-exporter-prometheus"];
const PURE: &[&str] = &[
    "switchyard-engine",
    "switchyard-ledger",
    "switchyard-dialects",
    "switchyard-routing",
    "switchyard-risk",
    "switchyard-iso8583",
    "switchyard-iso20022",
    "switchyard-files",
    "switchyard-crypto",
    "switchyard-payments",
];

/// What else the engine may never hold: wire bytes, secrets, entropy.
const NOT_IN_THE_ENGINE: &[&str] = &["bytes", "zeroize", "getrandom", "rand", "tracing", "metrics", "jiff"];

/// Floor 1 knows bytes and messages, not payments.
const FLOOR_ONE_NEVER: &[&str] = &["switchyard-payments"];

/// One package of the workspace.
#[derive(Debug, Default, Clone)]
pub(super) struct Room {
    pub(super) package: String,
    pub(super) folder: String,
    /// Normal and build dependencies, by package name.
    pub(super) uses: Vec<String>,
    pub(super) dev_uses: Vec<String>,
}

/// The workspace.
#[derive(Debug)]
pub(super) struct Graph(pub(super) Vec<Room>);

fn place(package: &str) -> Option<Place> {
    HOUSE.iter().find(|(name, ..)| *name == package).map(|(.., place)| *place)
}

fn ours(package: &str) -> bool {
    package == "switchyard" || package.starts_with("switchyard-")
}

/// Why `user` may not use `used`; `None` if it may.
fn breach(user: &str, used: &str, dev: bool) -> Option<String> {
    let (Some(from), Some(to)) = (place(user), place(used)) else {
        return Some(format!("{user} uses {used}, and one of them has no place in the house"));
    };
    let allowed = match (from, to) {
        (Place::Tests, _) => true,
        (_, Place::Tests) => dev && used == TESTKIT,
        (Place::Simulators, _) => SIMULATORS_MAY_USE.contains(&used),
        (Place::Floor(from), Place::Simulators) => from == 6,
        (Place::Floor(1), Place::Floor(0)) => !FLOOR_ONE_NEVER.contains(&used) || dev,
        (Place::Floor(from), Place::Floor(to)) => from > to,
    };
    (!allowed).then(|| format!("{user} ({from:?}) uses {used} ({to:?})"))
}

/// Packages of the house that ARCHITECTURE.md has on another floor, or not at all.
pub(super) fn undrawn(page: &str) -> Vec<String> {
    let rows: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            Some((cells.next()?, cells.next()?))
        })
        .collect();
    let drawn = |package: &str, place: Place| {
        let floor = match place {
            Place::Floor(floor) => floor.to_string(),
            Place::Simulators | Place::Tests => "-".to_owned(),
        };
        let short = format!("`{}`", package.strip_prefix("switchyard-").unwrap_or(package));
        rows.iter()
            .any(|(at, rooms)| *at == floor && (rooms.contains(&short) || place == Place::Tests && rooms.contains("`tests/`")))
    };
    let missing = HOUSE.iter().filter(|(package, _, place)| !drawn(package, *place));
    missing.map(|(package, _, place)| format!("ARCHITECTURE.md does not have {package} at {place:?}")).collect()
}

impl Graph {
    /// Uses of one package of the house by another.
    pub(super) fn arrows(&self) -> usize {
        self.0.iter().flat_map(|room| room.uses.iter().chain(&room.dev_uses)).filter(|used| ours(used)).count()
    }

    /// Uses of packages from outside.
    pub(super) fn outside(&self) -> usize {
        self.0.iter().flat_map(|room| &room.uses).filter(|used| !ours(used)).count()
    }

    /// Every arrow that does not point down, every package without a place or in the wrong folder.
    pub(super) fn breaches(&self) -> Vec<String> {
        let mut found = Vec::new();
        for room in &self.0 {
            match HOUSE.iter().find(|(name, ..)| *name == room.package) {
                None => found.push(format!("{} has no place in the house", room.package)),
                Some((_, folder, _)) if *folder != room.folder => {
                    found.push(format!("{} lies in {}, its room is {folder}", room.package, room.folder));
                }
                Some(_) => {}
            }
            let arrows = |uses: &[String], dev| {
                uses.iter().filter(|used| ours(used)).filter_map(|used| breach(&room.package, used, dev)).collect::<Vec<_>>()
            };
            found.extend(arrows(&room.uses, false));
            found.extend(arrows(&room.dev_uses, true));
        }
        found
    }

    /// Every dependency from outside that the room may not have.
    pub(super) fn forbidden(&self) -> Vec<String> {
        let mut found = Vec::new();
        for room in self.0.iter().filter(|room| place(&room.package) != Some(Place::Tests)) {
            let package = room.package.as_str();
            for used in room.uses.iter().map(String::as_str) {
                let opens = used == CONNECTS.0 && CONNECTS.1.contains(&package);
                let why = if SQL.contains(&used) && !SQL_OWNERS.contains(&package) && !opens {
                    "SQL belongs to the packages that own a schema"
                } else if PURE.contains(&package) && IO.contains(&used) {
                    "a pure package does no I/O"
                } else if package == "switchyard-engine" && NOT_IN_THE_ENGINE.contains(&used) {
                    "the engine holds no bytes, secrets, clocks or entropy"
                } else {
                    continue;
                };
                found.push(format!("{package} uses {used}: {why}"));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(package: &str, uses: &[&str], dev_uses: &[&str]) -> Graph {
        let folder = HOUSE.iter().find(|(name, ..)| *name == package).map_or("nowhere", |(_, folder, _)| folder);
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Graph(vec![Room { package: package.to_owned(), folder: folder.to_owned(), uses: owned(uses), dev_uses: owned(dev_uses) }])
    }

    #[test]
    fn an_arrow_down_is_allowed() {
        assert_eq!(house("switchyard-switch", &["switchyard-engine", "switchyard-crypto"], &[]).breaches(), Vec::<String>::new());
        assert_eq!(house("switchyard", &["switchyard-simulators"], &[]).breaches(), Vec::<String>::new());
        assert_eq!(house("switchyard-store", &[], &[TESTKIT]).breaches(), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_or_sideways_is_found() {
        assert_eq!(house("switchyard-ledger", &["switchyard-store"], &[]).breaches().len(), 1);
        assert_eq!(house("switchyard-settlement", &["switchyard-switch"], &[]).breaches().len(), 1);
        assert_eq!(house("switchyard-files", &["switchyard-payments"], &[]).breaches().len(), 1);
    }

    #[test]
    fn simulators_share_no_mapping_with_us() {
        assert_eq!(house("switchyard-simulators", &["switchyard-dialects"], &[]).breaches().len(), 1);
        assert_eq!(house("switchyard-simulators", &["switchyard-ledger"], &[]).breaches().len(), 1);
        assert_eq!(house("switchyard-switch", &["switchyard-simulators"], &[]).breaches().len(), 1);
    }

    #[test]
    fn nothing_but_a_test_uses_the_testkit() {
        assert_eq!(house("switchyard", &[TESTKIT], &[]).breaches().len(), 1);
        assert_eq!(house("switchyard-store", &[], &["switchyard-system"]).breaches().len(), 1);
    }

    #[test]
    fn a_package_without_a_place_or_in_another_folder_is_found() {
        assert_eq!(house("switchyard-utils", &[], &[]).breaches().len(), 1);
        let mut moved = house("switchyard-risk", &[], &[]);
        moved.0[0].folder = "risk".to_owned();
        assert_eq!(moved.breaches().len(), 1);
    }

    #[test]
    fn a_picture_with_a_room_on_the_wrong_floor_is_found() {
        let page = "| 4 | `engine` (`switch/engine`) | x |\n| 5 | `vault` (`hsm/vault`) | y |\n";
        let missing = undrawn(page);
        assert!(!missing.iter().any(|line| line.contains("engine")));
        assert!(missing.iter().any(|line| line.contains("vault")));
    }

    #[test]
    fn tokio_in_the_engine_and_sql_in_the_shell_are_found() {
        assert_eq!(house("switchyard-engine", &["tokio"], &[]).forbidden().len(), 1);
        assert_eq!(house("switchyard-engine", &["zeroize"], &[]).forbidden().len(), 1);
        assert_eq!(house("switchyard-switch", &["refinery"], &[]).forbidden().len(), 1);
        assert_eq!(house("switchyard-ledger", &["tokio-postgres"], &[]).forbidden().len(), 1);
        assert_eq!(house("switchyard-store", &["tokio-postgres"], &[]).forbidden(), Vec::<String>::new());
    }
}
