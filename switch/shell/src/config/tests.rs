use super::*;

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

const NODE: &str = r#"
version = 1
[files]
registry = "registry.toml"
routes = "routes.toml"
risk = "risk.toml"
[[listener]]
name = "pos"
protocol = "iso87-ascii"
listen = "127.0.0.1:0"
acquirer = "ACQ1"
[link.net]
protocol = "iso87-ascii"
connect = "127.0.0.1:1"
mac_key = "zak-net"
"#;
/// Where data lie whatever directory the file is in.
const DATA: &str = "data_dir = \"/data\"\n";
const REGISTRY: &str = r#"
[[acquirer]]
id = "ACQ1"
institution = "00000000001"
"#;
const ROUTES: &str = r#"
[[route]]
name = "all"
bins = ["4"]
system = "dual"
links = ["net"]
"#;

fn load(node: &str, registry: &str, routes: &str) -> Result<Config, ConfigError> {
    let dir = std::env::temp_dir().join(format!("config-{:x}", fastrand::u64(..)));
    std::fs::create_dir_all(&dir).unwrap();
    write(&dir, "registry.toml", registry);
    write(&dir, "routes.toml", routes);
    write(&dir, "risk.toml", "version = \"r1\"\n");
    let config = Config::load(&write(&dir, "switchyard.toml", node));
    std::fs::remove_dir_all(&dir).unwrap();
    config
}

#[test]
fn a_sound_configuration_loads() {
    let config = load(NODE, REGISTRY, ROUTES).unwrap();
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.tables.links.len(), 1);
    assert_eq!(config.listeners.first().map(|listener| listener.framing), Some(Framing::CARD));
}

#[test]
fn a_link_may_have_another_framing_and_cap() {
    let node = format!("{NODE}framing = {{ preset = \"nac\", header = \"6000010000\" }}\ncap = 1000\n");
    let config = load(&node, REGISTRY, ROUTES).unwrap();
    let framing = config.links.values().next().unwrap().framing;
    assert_eq!((framing.header().bytes(), framing.cap()), (b"\x60\0\x01\0\0".as_slice(), 1000));
}

#[test]
fn a_link_may_speak_a_dialect_of_ones_own() {
    let dir = std::env::temp_dir().join(format!("dialect-{:x}", fastrand::u64(..)));
    std::fs::create_dir_all(&dir).unwrap();
    let (spec, mapping) = (write(&dir, "mine.toml", ""), write(&dir, "map.toml", ""));
    let at = |path: &Path| format!("{:?}", path.display().to_string());
    let node =
        format!("{}[dialect.mine]\nspec = {}\nmapping = {}\n", NODE.replacen("iso87-ascii", "mine", 1), at(&spec), at(&mapping));
    let with = |table: &str, map: &str| {
        write(&dir, "mine.toml", table);
        write(&dir, "map.toml", map);
        load(&node, REGISTRY, ROUTES)
    };
    let table = "name = \"mine\"\nextends = \"iso93-binary\"\n";
    let running = with(table, "extends = \"iso93\"").unwrap();
    assert!(running.dialects.get("mine").is_some());
    let other = with(&format!("{table}[fields]\n41 = {{ length = 10 }}\n"), "extends = \"iso93\"").unwrap();
    assert_ne!(running.dialect_texts, other.dialect_texts);
    let error = with(table, "extends = \"iso94\"").unwrap_err();
    assert!(error.file.ends_with("map.toml") && error.what.contains("there is no mapping \"iso94\""), "{error}");
    let error = with("name = \"mine\"\nextends = \"iso\"\n", "").unwrap_err();
    assert!(error.file.ends_with("mine.toml"), "{error}");
    let error = with("name = \"yours\"\nextends = \"iso93-binary\"\n", "").unwrap_err();
    assert!(error.what.contains("its name is \"yours\""), "{error}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_is_wrong_is_named_with_file_line_and_fix() {
    let error = load(&NODE.replace("mac_key", "mac_kee"), REGISTRY, ROUTES).unwrap_err();
    assert_eq!((error.file.file_name().unwrap().to_str(), error.line), (Some("switchyard.toml"), Some(15)));
    assert!(error.what.contains("mac_kee"), "{error}");
    let error = load(&NODE.replace("127.0.0.1:0", "127.0.0.1:99999"), REGISTRY, ROUTES).unwrap_err();
    assert_eq!(error.line, Some(10), "{error}");
    assert!(error.what.contains("0 to 65535"), "{error}");
    for (bad, least) in [("127.0.0.1", 0), (":8583", 0), ("::1:8583", 0), ("localhost:x", 0), ("localhost:0", 1), ("h:+1", 0)] {
        assert!(address_fault(bad, least).is_some(), "{bad}");
    }
    assert_eq!((address_fault("[::1]:8583", 1), address_fault("issuer.example:1", 1)), (None, None));
    let error = load(NODE, REGISTRY, &ROUTES.replace("\"net\"", "\"elsewhere\"")).unwrap_err();
    assert!(error.to_string().contains("add [link.elsewhere]"), "{error}");
    assert_eq!(error.line, Some(6));
    let error = load(&NODE.replacen("iso87-ascii", "iso87", 1), REGISTRY, ROUTES).unwrap_err();
    assert!(error.what.contains("iso87-binary, iso93-ascii") && error.line == Some(9), "{error}");
    let error = load(&NODE.replacen("iso87-ascii", "mastercard-ipm", 1), REGISTRY, ROUTES).unwrap_err();
    assert!(error.what.contains("no link speaks it"), "{error}");
    let error = load(&format!("{NODE}framing = \"nack\"\n"), REGISTRY, ROUTES).unwrap_err();
    assert_eq!(error.line, Some(16));
    assert!(error.what.contains("\"nack\" is not known; there are \"binary2\""), "{error}");
    let second = format!("{ROUTES}[[route]]\nname = \"more\"\nbins = [\"5x\"]\nsystem = \"dual\"\nlinks = [\"net\"]\n");
    let error = load(NODE, REGISTRY, &second).unwrap_err();
    assert_eq!(error.line, Some(8), "{error}");
    let error = load(NODE, &REGISTRY.replace("ACQ1", "ACQ2"), ROUTES).unwrap_err();
    assert!(error.what.contains("[[acquirer]]"), "{error}");
}

#[test]
fn a_reload_that_sockets_or_owed_messages_hang_on_names_what_needs_a_restart() {
    let kept = |node: &str| load(&format!("{DATA}{node}"), REGISTRY, ROUTES).unwrap();
    let running = kept(NODE).bound_to(9100, &[8583]);
    let needs = |node: &str| running.needs_restart(&kept(node)).unwrap_or_default();
    let first = |line: &str| format!("{line}\n{NODE}");
    let changed = |from: &str, to: &str| {
        assert!(NODE.contains(from), "{from}");
        NODE.replace(from, to)
    };
    let cases = [
        (first("shards = 2"), "shards"),
        (first("profile = \"production\""), "profile"),
        (first("admin = \"127.0.0.1:9100\""), ""),
        (first("admin = \"127.0.0.1:9101\""), "admin"),
        (format!("{NODE}[database]\nurl = \"host=/run\"\n"), "[database] url"),
        (format!("{NODE}[hsm]\nkek = \"other\"\n"), "[hsm]"),
        (changed("127.0.0.1:0", "127.0.0.1:8583"), ""),
        (changed("127.0.0.1:0", "127.0.0.1:8584"), "[[listener]]"),
        (changed("127.0.0.1:0", "127.0.0.2:8583"), "[[listener]]"),
        (changed("acquirer = \"ACQ1\"", "acquirer = \"ACQ1\"\nidle_s = 9"), "[[listener]]"),
        (changed("\"127.0.0.1:1\"", "\"127.0.0.1:2\""), "[link.net]"),
        (changed("zak-net", "zak-new"), "[link.net]"),
        (format!("{NODE}[link.more]\nprotocol = \"iso87-ascii\"\nconnect = \"127.0.0.1:2\"\nmac = \"none\"\n"), "[link.more]"),
        // What the engine decides by is swapped.
        (format!("{NODE}[link.net.rules]\npin_key = \"zpk-new\"\n[limits]\ncases = 5\n[deadlines]\nreply = 13\n"), ""),
    ];
    for (node, wanted) in cases {
        assert_eq!(needs(&node), wanted, "{node}");
    }
    assert_eq!(running.needs_restart(&load(NODE, REGISTRY, ROUTES).unwrap()).as_deref(), Some("data_dir"));
    let swapped = kept(NODE).listening_as(&running);
    assert_eq!(swapped.needs_restart(&kept(&changed("127.0.0.1:0", "127.0.0.1:8583"))), None);
}

#[test]
fn a_number_that_would_lose_money_or_stop_the_switch_is_refused() {
    let rules = |line: &str| format!("{NODE}[link.net.rules]\n{line}\n");
    let again = "[[listener]]\nname = \"NAME\"\nprotocol = \"iso87-ascii\"\nlisten = \"127.0.0.1:8583\"\nacquirer = \"ACQ1\"\n";
    let taken = NODE.replace("127.0.0.1:0", "127.0.0.1:8583");
    let cases = [
        (rules("timeout_code = \"00\""), "would be told as an approval"),
        (rules("acknowledged = [\"00\", \"91\"]"), "91 stands in acknowledged and in retry"),
        (rules("acknowledged = []"), "no reversal could ever end well"),
        (rules("attempts_s = []"), "attempts_s needs"),
        (rules("attempts_s = [0]"), "attempts_s needs"),
        (rules("lane_window = 0"), "lane_window must be"),
        (rules("echo_every = 0"), "echo_every"),
        (rules("answer_within = 100"), "inner deadline"),
        (rules("maximum_life = 0"), "overtake its original"),
        (format!("{NODE}connect_within_s = 0\n"), "connect_within_s"),
        (format!("{NODE}[limits]\ncases = 0\n"), "cases must be"),
        (format!("{NODE}[deadlines]\nsend = 20\nreply = 1\n"), "must be less than reply"),
        (format!("{NODE}[deadlines]\nsend = 0\n"), "nothing would ever be sent"),
        (NODE.replace("acquirer = \"ACQ1\"", "acquirer = \"ACQ1\"\nframe_within_s = 0"), "frame_within_s"),
        (format!("{taken}{}", again.replace("NAME", "pos")), "stands twice"),
        (format!("{taken}{}", again.replace("NAME", "more")), "where listener pos does"),
    ];
    for (node, words) in cases {
        let error = load(&node, REGISTRY, ROUTES).unwrap_err();
        assert!(error.what.contains(words) && error.line.is_some(), "{error} for {node}");
    }
}
