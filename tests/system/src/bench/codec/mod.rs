//! The codec beside what bounds it: a purchase of twenty fields in two layouts, read and written by
//! [`iso8583`], by a hand-written limit, by pyiso8583, and copied.
//!
//! Everything runs in turns of a millisecond, and of each the best turn counts, by processor time of its own
//! thread: what else the machine does then hits all alike or nobody.

pub mod growth;
pub mod limit;
mod peer;
mod rounds;
pub mod sample;

use std::hint::black_box;

use bytes::Bytes;
use iso8583::Spec;
use testkit::KitError;

use self::limit::{Contents, Found};
use self::peer::Peer;
use self::rounds::{Turn, best, timed};
use self::sample::{FIELDS, Layout};
use super::Figure;
use super::machine::{self, Ticks};

/// Decoding takes at most twice the time of the limit.
const DECODE_GOAL: f64 = 0.5;
/// Encoding into a buffer that is there takes at most two and a half times the time of the limit.
const ENCODE_GOAL: f64 = 0.4;
/// The limit is none unless it is so many times faster than pyiso8583.
const LIMIT_GOAL: f64 = 150.0;
/// A decoded message may allocate its table of fields and a buffer for what had to be converted.
const DECODE_ALLOCATIONS: f64 = 2.0;

/// Counts the allocations of this thread so far.
pub type Allocations = fn() -> u64;

/// What a run found.
#[derive(Debug)]
pub struct Outcome {
    /// Figures against their limits.
    pub figures: Vec<Figure>,
    /// Goals that were missed, and what is wrong with the measurement; empty when neither.
    pub objections: Vec<String>,
}

/// What one layout costs, nanoseconds a message.
struct Times {
    copy: f64,
    decode: f64,
    limit_decode: f64,
    /// As the limit, which leaves what is packed or hexadecimal as it stands.
    places_only: f64,
    peer_decode: f64,
    encode: f64,
    limit_encode: f64,
    peer_encode: f64,
}

/// Measures.
///
/// # Errors
/// When pyiso8583 cannot be run, or anybody disagrees about the bytes of the message.
pub fn run(rounds: u32, allocations: Allocations, mut tell: impl FnMut(&str)) -> Result<Outcome, KitError> {
    let (mut figures, mut objections) = (Vec::new(), Vec::new());
    tell(&format!(
        "a purchase of {FIELDS} fields; best of {rounds} turns by processor time; load average {} before anything",
        machine::load_average()
    ));
    let before = Ticks::now(&[std::process::id()]);
    let mut peer = Peer::start()?;
    for layout in Layout::ALL {
        let spec = layout.spec().map_err(|error| failed(&error))?;
        let frame = Bytes::from(spec.encode(&sample::message()).map_err(|error| failed(&error))?);
        if frame.len() != layout.length() || frame != peer.frame(layout) {
            return Err(KitError::Bench(format!("pyiso8583 writes other bytes than the codec in {}", layout.name())));
        }
        let times = measure(layout, &spec, &frame, &mut peer, rounds)?;
        table(layout, &times, &mut tell);
        compare(layout, &times, &mut figures, &mut objections);
        count(layout, &spec, &frame, allocations, &mut figures, &mut objections)?;
    }
    growth::run(rounds, &mut tell, &mut figures, &mut objections)?;
    let used = Ticks::now(&[std::process::id()]).since(before);
    let foreign = used.busy.saturating_sub(used.ours) as f64 / used.all.max(1) as f64;
    tell(&format!(
        "{:.1}% of the processors went to others; load average {} at the end",
        foreign * 100.0,
        machine::load_average()
    ));
    Ok(Outcome { figures, objections })
}

fn failed(error: &dyn std::fmt::Display) -> KitError {
    KitError::Bench(error.to_string())
}

fn measure(layout: Layout, spec: &Spec, frame: &Bytes, peer: &mut Peer, rounds: u32) -> Result<Times, KitError> {
    let (message, contents, mti) = (sample::message(), sample::contents(), sample::MTI.as_bytes());
    let contents: Contents<'_> = std::array::from_fn(|nth| contents.get(nth).map_or(&[][..], |(_, content)| content));
    let mti = mti.first_chunk::<4>().unwrap_or(b"????");
    let (mut found, mut placed) = (Found::default(), Found::default());
    let mut buffers = [const { Vec::new() }; 3];
    let [copied, written, limit_written] = &mut buffers;
    let peer = std::cell::RefCell::new(peer);
    let mut turns: [Turn<'_>; 8] = [
        Box::new(|| {
            Ok(timed(4_000, || {
                copied.clear();
                copied.extend_from_slice(black_box(frame));
                black_box(&copied);
            }))
        }),
        Box::new(|| {
            Ok(timed(2_000, || {
                let _ = black_box(spec.decode(black_box(frame).clone()));
            }))
        }),
        Box::new(|| {
            Ok(timed(2_000, || {
                let read = match layout {
                    Layout::Ascii => limit::read_ascii(black_box(frame), &mut found),
                    Layout::Packed => limit::read_packed(black_box(frame), &mut found),
                };
                let _ = black_box((read, &found));
            }))
        }),
        Box::new(|| {
            Ok(timed(2_000, || {
                let read = match layout {
                    Layout::Ascii => limit::place_ascii(black_box(frame), &mut placed),
                    Layout::Packed => limit::place_packed(black_box(frame), &mut placed),
                };
                let _ = black_box((read, &placed));
            }))
        }),
        Box::new(|| peer.borrow_mut().decode(layout, 25)),
        Box::new(|| {
            Ok(timed(2_000, || {
                written.clear();
                let _ = black_box(spec.encode_into(black_box(&message), written));
                black_box(&written);
            }))
        }),
        Box::new(|| {
            Ok(timed(2_000, || {
                limit_written.clear();
                let result = match layout {
                    Layout::Ascii => limit::write_ascii(mti, black_box(&contents), limit_written),
                    Layout::Packed => limit::write_packed(mti, black_box(&contents), limit_written),
                };
                let _ = black_box((result, &limit_written));
            }))
        }),
        Box::new(|| peer.borrow_mut().encode(layout, 25)),
    ];
    let [copy, decode, limit_decode, places_only, peer_decode, encode, limit_encode, peer_encode] = best(&mut turns, rounds)?;
    drop(turns);
    if [written, limit_written].iter().any(|written| *written != frame) {
        return Err(KitError::Bench(format!("what was written is not the message in {}", layout.name())));
    }
    Ok(Times { copy, decode, limit_decode, places_only, peer_decode, encode, limit_encode, peer_encode })
}

fn table(layout: Layout, times: &Times, tell: &mut impl FnMut(&str)) {
    tell(&format!("{}, {} bytes:            ns  ns/field  of the limit", layout.name(), layout.length()));
    let mut row = |name: &str, ns: f64, limit: f64| {
        tell(&format!("  {name:<26} {ns:>8.1} {:>8.2}  {:>8.2}", ns / FIELDS as f64, limit / ns));
    };
    row("copy of the bytes", times.copy, times.limit_decode);
    row("decode, limit", times.limit_decode, times.limit_decode);
    row("decode, limit, places only", times.places_only, times.limit_decode);
    row("decode, codec", times.decode, times.limit_decode);
    row("decode, pyiso8583", times.peer_decode, times.limit_decode);
    row("encode, limit", times.limit_encode, times.limit_encode);
    row("encode, codec", times.encode, times.limit_encode);
    row("encode, pyiso8583", times.peer_encode, times.limit_encode);
}

fn compare(layout: Layout, times: &Times, figures: &mut Vec<Figure>, objections: &mut Vec<String>) {
    let fields = FIELDS as f64;
    let ways = [
        ("decode", times.decode, times.limit_decode, times.peer_decode, DECODE_GOAL),
        ("encode", times.encode, times.limit_encode, times.peer_encode, ENCODE_GOAL),
    ];
    for (way, ours, limit, peer, goal) in ways {
        let name = format!("codec/{way}-{}", layout.name());
        let writer = if way == "decode" { "limit parser" } else { "limit writer" };
        figures.push(Figure::less(&name, ours, "ns", writer, limit));
        figures.push(Figure::less(format!("{name}-field"), ours / fields, "ns", writer, limit / fields));
        figures.push(Figure::less(&name, ours, "ns", "pyiso8583", peer));
        figures.push(Figure::less(&name, ours, "ns", "copy of the bytes", times.copy));
        figures.push(Figure::more(format!("{name}-goal"), limit / ours, "of the limit", "goal", goal));
        if limit / ours < goal {
            objections.push(format!("{name} reaches {:.2} of the limit, the goal is {goal}", limit / ours));
        }
    }
    let strength = times.peer_decode / times.limit_decode;
    figures.push(Figure::more(
        format!("codec/limit-{}", layout.name()),
        strength,
        "x pyiso8583",
        "what makes it a limit",
        LIMIT_GOAL,
    ));
    if strength < LIMIT_GOAL {
        objections.push(format!(
            "the limit parser is {strength:.0} times pyiso8583 in {}: below {LIMIT_GOAL} it is no limit",
            layout.name()
        ));
    }
}

/// Counts what one message allocates.
fn count(
    layout: Layout,
    spec: &Spec,
    frame: &Bytes,
    allocations: Allocations,
    figures: &mut Vec<Figure>,
    objections: &mut Vec<String>,
) -> Result<(), KitError> {
    let given = frame.clone();
    let before = allocations();
    let decoded = spec.decode(given);
    let decode = (allocations() - before) as f64;
    let decoded = decoded.map_err(|error| failed(&error))?;
    // Built, not read: what was read and not touched is copied from its frame.
    let message = sample::message();
    let mut out = Vec::with_capacity(frame.len() * 2);
    let before = allocations();
    let encoded = spec.encode_into(&message, &mut out);
    let encode = (allocations() - before) as f64;
    encoded.map_err(|error| failed(&error))?;
    if decoded != message || out != *frame {
        return Err(KitError::Bench(format!("the message does not come back in {}", layout.name())));
    }
    for (way, counted, most) in [("decode", decode, DECODE_ALLOCATIONS), ("encode", encode, 0.0)] {
        let name = format!("codec/{way}-{}-allocations", layout.name());
        if counted > most {
            objections.push(format!("{name}: {counted}, at most {most} are allowed"));
        }
        figures.push(Figure::less(name, counted, "allocations", "most", most));
    }
    Ok(())
}
