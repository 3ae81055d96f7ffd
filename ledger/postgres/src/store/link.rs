//! The writer's connection, and what the server says besides answers.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;
use tokio_postgres::error::Severity;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Statement};

use super::statements::{STATEMENTS, Step, WRITER_SESSION};
use crate::Error;
use crate::settings::refuse_unsafe;

/// A connection that writes batches.
#[derive(Debug)]
pub(crate) struct Link {
    client: Client,
    statements: Vec<(Step, Statement)>,
    /// The first warning since the last look.
    warning: Arc<Mutex<Option<String>>>,
    driver: AbortHandle,
}

impl Link {
    /// Connects, looks at the settings that durability rests on, and prepares every statement.
    pub(crate) async fn connect(config: &Config, unsafe_test: bool) -> Result<Self, Error> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let warning = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&warning);
        let driver = tokio::spawn(async move {
            // A notice stands before the answer that it belongs to, and is noted before that answer
            // is passed on.
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.parsed_severity().is_none_or(|severity| severity == Severity::Warning)
                {
                    let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                    noted.get_or_insert_with(|| notice.message().to_owned());
                }
            }
        });
        let mut link = Self { client, statements: Vec::new(), warning, driver: driver.abort_handle() };
        link.client.batch_execute(WRITER_SESSION).await?;
        if !unsafe_test {
            refuse_unsafe(&link.client).await?;
        }
        for (step, text) in STATEMENTS {
            link.statements.push((step, link.client.prepare_typed(text, &[Type::INT2, Type::INT8]).await?));
        }
        link.take_warning();
        Ok(link)
    }

    /// For reads and single statements.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// For a transaction.
    pub(crate) fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The prepared statement of a step.
    pub(crate) fn statement(&self, wanted: Step) -> Option<&Statement> {
        self.statements.iter().find(|(step, _)| *step == wanted).map(|(_, statement)| statement)
    }

    /// The first warning since the last look. A commit whose wait for a synchronous standby was
    /// cancelled reports success, with a warning.
    pub(crate) fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the connection is known to be gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Drop for Link {
    /// Closes the socket at once: what was not sent is not sent any more, and the server ends a
    /// transaction that has not received its COMMIT.
    fn drop(&mut self) {
        self.driver.abort();
    }
}
