//! DE43, card acceptor name and location: `NAME\ADDRESS\CITY\`, then post code 10, region 3, country 3.

use super::fault::Reason;
use crate::charset::{latin1_to_string, string_to_latin1};

/// The longest DE43.
const MAX: usize = 99;

/// Where the card was accepted. Texts without trailing blanks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acceptor {
    /// Name.
    pub name: String,
    /// Street address.
    pub address: String,
    /// City.
    pub city: String,
    /// Post code, at most 10 characters.
    pub post_code: String,
    /// State, province or region, at most 3.
    pub region: String,
    /// Country, ISO 3166-1 alpha-3.
    pub country: String,
}

impl Acceptor {
    /// Out of the field's Latin-1 bytes. The name may hold anything but a backslash.
    pub fn parse(raw: &[u8]) -> Result<Self, Reason> {
        let mut parts = raw.splitn(4, |byte| *byte == b'\\');
        let mut text = || parts.next().map(trimmed).ok_or(Reason::Acceptor);
        let (name, address, city) = (text()?, text()?, text()?);
        let place = parts.next().filter(|place| place.len() == 16).ok_or(Reason::Acceptor)?;
        let (post_code, place) = place.split_at(10);
        let (region, country) = place.split_at(3);
        Ok(Self { name, address, city, post_code: trimmed(post_code), region: trimmed(region), country: trimmed(country) })
    }

    /// As the field has it, Latin-1. A backslash in a text becomes `/`; what is too long is refused.
    pub fn encode(&self) -> Result<Vec<u8>, Reason> {
        let text = |text: &str| string_to_latin1(&text.replace('\\', "/"));
        let mut out = Vec::with_capacity(MAX);
        for part in [&self.name, &self.address, &self.city] {
            out.extend(text(part));
            out.push(b'\\');
        }
        for (part, width) in [(&self.post_code, 10), (&self.region, 3), (&self.country, 3)] {
            let mut part = text(part);
            if part.len() > width {
                return Err(Reason::Acceptor);
            }
            part.resize(width, b' ');
            out.extend(part);
        }
        if out.len() > MAX { Err(Reason::FieldTooLong(out.len())) } else { Ok(out) }
    }
}

fn trimmed(raw: &[u8]) -> String {
    let end = raw.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    latin1_to_string(raw.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_apart_and_together() {
        let raw = b"CORNER COFFEE\\12 HIGH ST\\LONDON\\EC1A1BB      GBR";
        let acceptor = Acceptor::parse(raw).unwrap();
        assert_eq!(
            (acceptor.city.as_str(), acceptor.post_code.as_str(), acceptor.country.as_str()),
            ("LONDON", "EC1A1BB", "GBR")
        );
        assert_eq!(acceptor.encode().unwrap(), raw);
        assert_eq!(Acceptor::parse(b"CORNER COFFEE"), Err(Reason::Acceptor));
        let long = Acceptor { name: "X".repeat(80), ..acceptor };
        assert_eq!(long.encode(), Err(Reason::FieldTooLong(115)));
    }
}
