//! Faults that drills arm at named points of the flow. Alive only under `--unsafe-test`; otherwise
//! every call is one load of a flag.
//!
//! A fault is written `POINT:COUNT:ACTION[:BUSY]`: at the COUNT-th time that POINT is reached (while at
//! least BUSY requests are in flight, where that is given), do ACTION: `kill` (SIGKILL to this
//! process), `kill-store` (SIGKILL to PostgreSQL), `kill-both`. The point
//! `early-ack` has no action: it breaks the promise on purpose, by telling the engine that a batch is
//! durable before it is, so that drills can prove that they would notice.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Edges of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// Before COMMIT A is handed to the store.
    BeforeA,
    /// COMMIT A is durable, nothing is sent.
    AfterA,
    /// Half of a request's frame is written.
    MidFrame,
    /// An answer was read, nothing is done about it.
    AnswerRead,
    /// Before COMMIT B (or R) is handed to the store.
    BeforeB,
    /// COMMIT B is durable, nobody was told.
    AfterB,
    /// Half of a reply's frame is written.
    MidReply,
    /// A reversal was written.
    ReversalSent,
    /// A reversal's acknowledgement was read.
    Acknowledged,
}

impl Point {
    /// Every point, in the order of the flow.
    pub const ALL: [Point; 9] = [
        Point::BeforeA,
        Point::AfterA,
        Point::MidFrame,
        Point::AnswerRead,
        Point::BeforeB,
        Point::AfterB,
        Point::MidReply,
        Point::ReversalSent,
        Point::Acknowledged,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Point::BeforeA => "before-a",
            Point::AfterA => "after-a",
            Point::MidFrame => "mid-frame",
            Point::AnswerRead => "answer-read",
            Point::BeforeB => "before-b",
            Point::AfterB => "after-b",
            Point::MidReply => "mid-reply",
            Point::ReversalSent => "reversal-sent",
            Point::Acknowledged => "acknowledged",
        }
    }
}

/// What to do at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    KillStore,
    KillBoth,
}

#[derive(Debug)]
struct Fault {
    point: Point,
    at: u64,
    action: Action,
    /// Requests that have to be in flight, so that a slow start of the traffic does not spoil the drill.
    busy: usize,
    reached: AtomicU64,
}

/// The faults of this process.
#[derive(Debug, Default)]
struct Armed {
    faults: Vec<Fault>,
    early_ack: bool,
}

static ON: AtomicBool = AtomicBool::new(false);
static ARMED: OnceLock<Armed> = OnceLock::new();
static STORE_PID: AtomicU64 = AtomicU64::new(0);
static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// A fault that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a fault; write POINT:COUNT:ACTION[:BUSY] with ACTION kill, kill-store or kill-both, or early-ack")]
pub struct FaultError(String);

/// Arms faults, once. Only `--unsafe-test` may call this.
///
/// # Errors
/// [`FaultError`] names the one that cannot be read.
pub fn arm(faults: &[String]) -> Result<(), FaultError> {
    let mut armed = Armed::default();
    for text in faults {
        if text == "early-ack" {
            armed.early_ack = true;
            continue;
        }
        armed.faults.push(parse(text).ok_or_else(|| FaultError(text.clone()))?);
    }
    ON.store(!faults.is_empty(), Ordering::Relaxed);
    // A second call keeps the first one's faults.
    let _ = ARMED.set(armed);
    Ok(())
}

fn parse(text: &str) -> Option<Fault> {
    let mut parts = text.split(':');
    let (name, count, action) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Fault {
        point: Point::ALL.into_iter().find(|point| point.name() == name)?,
        at: count.parse().ok().filter(|at| *at > 0)?,
        action: match action {
            "kill" => Action::Kill,
            "kill-store" => Action::KillStore,
            "kill-both" => Action::KillBoth,
            _ => return None,
        },
        busy: parts.next().map_or(Some(0), |busy| busy.parse().ok())?,
        reached: AtomicU64::new(0),
    })
}

/// PostgreSQL's process, for the faults that kill it.
pub(crate) fn store_is(pid: Option<u32>) {
    STORE_PID.store(pid.map_or(0, u64::from), Ordering::Relaxed);
}

/// Requests in flight changed, in one of the shards.
pub(crate) fn in_flight(before: usize, now: usize) {
    if now >= before {
        IN_FLIGHT.fetch_add(now - before, Ordering::Relaxed);
    } else {
        IN_FLIGHT.fetch_sub(before - now, Ordering::Relaxed);
    }
}

/// Whether the promise is broken on purpose.
pub(crate) fn early_ack() -> bool {
    ON.load(Ordering::Relaxed) && ARMED.get().is_some_and(|armed| armed.early_ack)
}

/// Whether a frame must be written in two halves, since a fault sits in its middle.
pub(crate) fn splits(point: Point) -> bool {
    ON.load(Ordering::Relaxed) && ARMED.get().is_some_and(|armed| armed.faults.iter().any(|fault| fault.point == point))
}

/// The flow reached a point.
pub(crate) fn reach(point: Point) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    let Some(armed) = ARMED.get() else { return };
    let busy = IN_FLIGHT.load(Ordering::Relaxed);
    for fault in armed.faults.iter().filter(|fault| fault.point == point && busy >= fault.busy) {
        if fault.reached.fetch_add(1, Ordering::Relaxed) + 1 != fault.at {
            continue;
        }
        // The drill reads this line to count hits per edge; it must be out before the process is not.
        println!("fault {} {:?}", point.name(), fault.action);
        if matches!(fault.action, Action::KillStore | Action::KillBoth) {
            kill(STORE_PID.load(Ordering::Relaxed));
        }
        if matches!(fault.action, Action::Kill | Action::KillBoth) {
            kill(u64::from(std::process::id()));
        }
    }
}

fn kill(pid: u64) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::KILL)
    {
        println!("fault: cannot kill: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_a_point_a_count_and_an_action() {
        let fault = parse("after-a:3:kill-both").unwrap();
        assert_eq!((fault.point, fault.at, fault.action), (Point::AfterA, 3, Action::KillBoth));
        assert_eq!(parse("after-a:3:kill:50").unwrap().busy, 50);
        assert!(parse("after-a:3:kill:many").is_none());
        assert!(parse("after-a:0:kill").is_none());
        assert!(parse("somewhere:1:kill").is_none());
    }
}
