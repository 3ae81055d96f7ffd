//! What a field costs: messages of few, half and all fields, and tables of 64 and of 128. A message must
//! cost by the fields that it has, not by those that it might have.

use std::fmt::Write;
use std::hint::black_box;

use bytes::Bytes;
use iso8583::{Message, Spec};
use testkit::KitError;

use super::super::Figure;
use super::rounds::{Turn, best, timed};

/// Fields of the messages, few, half and all of a table of 64, whose first is the bitmap.
const PRESENT: [u8; 3] = [4, 32, 63];
/// The same message may cost so much more where the table is twice as long: noise.
const TABLE_SLACK: f64 = 1.25;

/// A table whose fields are all alike, up to this number.
fn table(last: u8) -> Result<Spec, KitError> {
    let mut text =
        "name = \"even\"\ntitle = \"All fields alike\"\nmti = \"ascii\"\nbitmap = \"hex-ascii\"\n[fields]\n".to_owned();
    for number in 2..=last {
        let _ = writeln!(text, "{number} = {{ name = \"Six digits\", content = \"n\", length = 6 }}");
    }
    Spec::from_toml(&text).map_err(|error| KitError::Bench(error.to_string()))
}

/// Its message of so many fields from the second on.
fn message(present: u8) -> Message {
    let mut message = Message::new("0200");
    for number in 2..present + 2 {
        message.set(number, "123456");
    }
    message
}

/// Nanoseconds of reading and of writing the message with two tables.
struct Cost {
    decode: [f64; 2],
    encode: [f64; 2],
}

fn cost(specs: &[Spec; 2], present: u8, rounds: u32) -> Result<Cost, KitError> {
    let message = message(present);
    let [short, long] = specs;
    let frame = Bytes::from(short.encode(&message).map_err(|error| KitError::Bench(error.to_string()))?);
    let mut buffers = [const { Vec::new() }; 2];
    let [first, second] = &mut buffers;
    let decode = |spec: &Spec| {
        timed(1_000, || {
            let _ = black_box(spec.decode(black_box(&frame).clone()));
        })
    };
    let encode = |spec: &Spec, out: &mut Vec<u8>| {
        timed(1_000, || {
            out.clear();
            let _ = black_box(spec.encode_into(black_box(&message), out));
            black_box(&out);
        })
    };
    let mut turns: [Turn<'_>; 4] = [
        Box::new(|| Ok(decode(short))),
        Box::new(|| Ok(decode(long))),
        Box::new(|| Ok(encode(short, first))),
        Box::new(|| Ok(encode(long, second))),
    ];
    let [decode_short, decode_long, encode_short, encode_long] = best(&mut turns, rounds)?;
    Ok(Cost { decode: [decode_short, decode_long], encode: [encode_short, encode_long] })
}

/// Measures.
///
/// # Errors
/// When a message cannot be written.
pub(super) fn run(
    rounds: u32,
    tell: &mut impl FnMut(&str),
    figures: &mut Vec<Figure>,
    objections: &mut Vec<String>,
) -> Result<(), KitError> {
    let specs = [table(64)?, table(128)?];
    let costs = PRESENT.map(|present| cost(&specs, present, rounds));
    let [few, half, all] = costs;
    let costs = [few?, half?, all?];
    tell("fields of six digits, table of 64 and of 128:  decode ns, ns/field       encode ns, ns/field");
    for (present, cost) in PRESENT.iter().zip(&costs) {
        let each = f64::from(*present);
        let Cost { decode: [d64, d128], encode: [e64, e128] } = cost;
        tell(&format!(
            "  {present:>2} fields, table of  64 {d64:>26.1} {:>8.2} {e64:>18.1} {:>8.2}\n  {present:>2} fields, table of 128 {d128:>26.1} {:>8.2} {e128:>18.1} {:>8.2}",
            d64 / each,
            e64 / each,
            d128 / each,
            e128 / each
        ));
        for (way, [short, long]) in [("decode", cost.decode), ("encode", cost.encode)] {
            let name = format!("codec/{way}-{present}-fields");
            figures.push(Figure::less(&name, long, "ns", "the same with a table of 64, not 128", short));
            figures.push(Figure::less(
                format!("{name}-field"),
                long / each,
                "ns",
                "the same with a table of 64, not 128",
                short / each,
            ));
            if long > short * TABLE_SLACK {
                objections.push(format!("{name}: {long:.0} ns with a table of 128 fields, {short:.0} ns with one of 64"));
            }
        }
    }
    let [few, _, all] = &costs;
    for (way, few, all) in [("decode", few.decode[1], all.decode[1]), ("encode", few.encode[1], all.encode[1])] {
        figures.push(Figure::less(format!("codec/{way}-few-fields"), few, "ns", "all fields", all));
        if few > all / 3.0 {
            objections.push(format!("codec/{way}: {few:.0} ns for few fields, {all:.0} ns for all: it does not cost by field"));
        }
    }
    Ok(())
}
