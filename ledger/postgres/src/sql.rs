//! Values as PostgreSQL carries them: dates and times in its binary form, shards as `int2`.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use payments::{BusinessDate, Shard, Wall};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

type Failure = Box<dyn Error + Sync + Send>;

/// A parameter of a statement.
pub(crate) type Param<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// PostgreSQL counts from 2000-01-01, we count from 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A `date`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day(pub(crate) BusinessDate);

/// A `timestamptz`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At(pub(crate) Wall);

impl ToSql for Day {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.put_i32(self.0.days().checked_sub(EPOCH_DAYS).ok_or("date out of range")?);
        Ok(IsNull::No)
    }

    accepts!(DATE);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Day {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        let days = i32::from_be_bytes(raw.try_into()?).checked_add(EPOCH_DAYS).ok_or("date out of range")?;
        Ok(Self(BusinessDate::from_days(days)?))
    }

    accepts!(DATE);
}

impl ToSql for At {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.put_i64(self.0.0.checked_sub(EPOCH_MICROS).ok_or("time out of range")?);
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for At {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        let micros = i64::from_be_bytes(raw.try_into()?).checked_add(EPOCH_MICROS).ok_or("time out of range")?;
        Ok(Self(Wall(micros)))
    }

    accepts!(TIMESTAMPTZ);
}

/// A shard as the tables have it; `None` for one beyond 32767.
pub(crate) fn shard_number(shard: Shard) -> Option<i16> {
    i16::try_from(shard.0).ok()
}

/// The 16 or 32 bytes of a key or hash.
pub(crate) fn bytes<const N: usize>(raw: &[u8]) -> Option<[u8; N]> {
    raw.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_count_from_the_year_2000_on_the_wire() {
        let mut out = BytesMut::new();
        Day(BusinessDate::parse("2000-01-02").unwrap()).to_sql(&Type::DATE, &mut out).unwrap();
        assert_eq!(&out[..], [0, 0, 0, 1]);
        let back = Day::from_sql(&Type::DATE, &out).unwrap();
        assert_eq!(back.0, BusinessDate::parse("2000-01-02").unwrap());
        let mut out = BytesMut::new();
        At(Wall(EPOCH_MICROS - 1)).to_sql(&Type::TIMESTAMPTZ, &mut out).unwrap();
        assert_eq!(&out[..], [0xFF; 8]);
        assert_eq!(At::from_sql(&Type::TIMESTAMPTZ, &out).unwrap().0, Wall(EPOCH_MICROS - 1));
        assert!(At(Wall(i64::MIN)).to_sql(&Type::TIMESTAMPTZ, &mut BytesMut::new()).is_err());
    }
}
