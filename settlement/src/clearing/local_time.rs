//! DE12 of a clearing record has a year, the request's DE13 (`MMDD`) has none: the nearest one is taken, and
//! where none makes a day of it, the time of acceptance stands in.

use payments::{BusinessDate, LocalDateTime};

use super::capture::Facts;
use super::freeze::{Note, digits};

/// The nearest of the years that make a day of `MMDD` is never farther away; 29 February may be.
const HALF_A_YEAR: u32 = 183;

/// DE12, `YYMMDDhhmmss`, with a note where it is not the terminal's own.
pub(super) fn local_time(facts: &Facts, near: BusinessDate) -> ([u8; 12], Option<Note>) {
    match dated(&facts.local, near) {
        Some(date) => (twelve(date, &facts.local), None),
        // A clock that shows a day that cannot be says nothing about the time either: date and time, in UTC.
        None => (twelve(facts.accepted.date(), &facts.accepted.local()), Some(Note::LocalTimeOfAcceptance)),
    }
}

fn twelve(date: BusinessDate, local: &LocalDateTime) -> [u8; 12] {
    digits(&format!("{:02}{}{}", date.parts().0.rem_euclid(100), local.date(), local.time()))
}

/// The day that brings `MMDD` nearest to the capture date, so that a sale of 31 December captured on
/// 2 January keeps its year. None for 29 February where no year near has one.
fn dated(local: &LocalDateTime, near: BusinessDate) -> Option<BusinessDate> {
    let two = |at: usize| local.date().get(at..at + 2).and_then(|digits| digits.parse::<i8>().ok());
    let (month, day) = (two(0)?, two(2)?);
    let years = (-1..=1).filter_map(|offset| BusinessDate::new(near.parts().0 + offset, month, day).ok());
    let away = |date: &BusinessDate| date.days().abs_diff(near.days());
    years.min_by_key(away).filter(|date| away(date) <= HALF_A_YEAR)
}

#[cfg(test)]
mod tests {
    use ledger::CaptureKind;
    use payments::{Currency, Wall};

    use super::*;
    use crate::clearing::tests::captured;

    fn of(time: &str, date: &str, near: &str) -> (String, Option<Note>) {
        let mut facts = captured(1, 1, CaptureKind::Sale, 100, Currency::EUR).facts;
        facts.local = LocalDateTime::parse(time.as_bytes(), date.as_bytes()).unwrap();
        // 2026-11-21T23:06:40Z.
        facts.accepted = Wall(1_795_302_400_000_000);
        let (twelve, note) = local_time(&facts, BusinessDate::parse(near).unwrap());
        (String::from_utf8(twelve.to_vec()).unwrap(), note)
    }

    #[test]
    fn a_sale_of_the_old_year_keeps_its_year() {
        assert_eq!(of("235959", "1231", "2027-01-02"), ("261231235959".to_owned(), None));
        assert_eq!(of("235959", "1231", "2026-12-31"), ("261231235959".to_owned(), None));
        assert_eq!(of("000000", "0229", "2028-03-01"), ("280229000000".to_owned(), None));
    }

    #[test]
    fn a_day_that_cannot_be_gives_way_to_the_time_of_acceptance() {
        let accepted = ("261121230640".to_owned(), Some(Note::LocalTimeOfAcceptance));
        assert_eq!(of("101500", "0229", "2026-03-01"), accepted);
        // The next year has a 29 February, but a sale does not lie a year ahead of its capture.
        assert_eq!(of("101500", "0229", "2027-03-01"), accepted);
    }
}
