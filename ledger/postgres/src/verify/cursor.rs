//! Rows of a query, fetched some hundred at a time.

use std::collections::VecDeque;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Portal, Row, Transaction};

use crate::Error;

/// How many rows are fetched at once.
const FETCH: i32 = 500;

pub(super) struct Cursor<'t> {
    transaction: &'t Transaction<'t>,
    portal: Portal,
    fetched: VecDeque<Row>,
    ended: bool,
}

impl<'t> Cursor<'t> {
    pub(super) async fn open(
        transaction: &'t Transaction<'t>,
        text: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Self, Error> {
        let portal = transaction.bind(text, params).await?;
        Ok(Self { transaction, portal, fetched: VecDeque::new(), ended: false })
    }

    pub(super) async fn next(&mut self) -> Result<Option<Row>, Error> {
        self.fill().await?;
        Ok(self.fetched.pop_front())
    }

    /// The next row if it is one that is wanted; else it stays.
    pub(super) async fn next_if(&mut self, wanted: impl FnOnce(&Row) -> bool) -> Result<Option<Row>, Error> {
        self.fill().await?;
        if self.fetched.front().is_some_and(wanted) { Ok(self.fetched.pop_front()) } else { Ok(None) }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        if self.fetched.is_empty() && !self.ended {
            self.fetched.extend(self.transaction.query_portal(&self.portal, FETCH).await?);
            self.ended = self.fetched.is_empty();
        }
        Ok(())
    }
}
