//! Schemas and their migrations, forward only. Every package has a schema of its own and brings it up
//! to date through here.

use refinery::{Migration, Runner};
use tokio_postgres::{Client, Config, NoTls};

use crate::Error;
use crate::error::describe;

/// Owns every object; nobody logs in as it.
pub const OWNER: &str = "switchyard_owner";
/// What the running switch may do: add facts, move what moves, read.
pub const RUNTIME: &str = "switchyard_runtime";
/// The login of the running switch on a private cluster.
pub const LOGIN: &str = "switchyard";

/// A schema and the migrations that make it.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Its name.
    pub name: &'static str,
    /// Name (`V1__what`) and text of each migration in order. One that was released is never edited:
    /// its checksum is compared.
    pub migrations: &'static [(&'static str, &'static str)],
}

/// The ledger's own schema.
pub const LEDGER: Schema = Schema {
    name: "ledger",
    migrations: &[
        ("V1__record", include_str!("../migrations/V1__record.sql")),
        ("V2__views", include_str!("../migrations/V2__views.sql")),
        ("V3__unmatched", include_str!("../migrations/V3__unmatched.sql")),
        ("V4__late_and_unmatched", include_str!("../migrations/V4__late_and_unmatched.sql")),
    ],
};

/// Roles belong to the whole server, so another database may have made them already.
const ROLES: &str = "
do $$
declare
  wanted text;
begin
  foreach wanted in array array['switchyard_owner nologin', 'switchyard_runtime nologin', 'switchyard login in role switchyard_runtime']
  loop
    begin
      execute 'create role ' || wanted;
    exception
      when duplicate_object or unique_violation then null;
    end;
  end loop;
  if not pg_has_role(current_user, 'switchyard_owner', 'member') then
    execute format('grant switchyard_owner to %I', current_user);
  end if;
end
$$";

/// Brings schemas up to date over a connection of an administrator: one that may make roles and
/// schemas. Two processes that do it at once do it one after the other.
pub async fn migrate(admin: &Config, schemas: &[Schema]) -> Result<(), Error> {
    let (mut client, connection) = admin.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let done = migrate_over(&mut client, schemas).await;
    drop(client);
    let _ = driver.await;
    done
}

async fn migrate_over(client: &mut Client, schemas: &[Schema]) -> Result<(), Error> {
    // Ends with the session. The number means nothing; it is only the same for everybody.
    client.batch_execute("set client_min_messages = warning; select pg_advisory_lock(7246189050123771)").await?;
    client.batch_execute(ROLES).await?;
    for schema in schemas {
        let failed = |why: String| Error::Migration { schema: schema.name, why };
        client.batch_execute(&format!("create schema if not exists {} authorization {OWNER}", schema.name)).await?;
        client.batch_execute(&format!("set role {OWNER}")).await?;
        let migrations: Result<Vec<_>, _> =
            schema.migrations.iter().map(|(name, text)| Migration::unapplied(name, text)).collect();
        let mut runner = Runner::new(&migrations.map_err(|why| failed(why.to_string()))?);
        runner.set_migration_table_name(format!("{}.migration", schema.name));
        let done = runner.run_async(client).await;
        client.batch_execute("reset role").await?;
        done.map_err(|why| failed(explain(&why)))?;
    }
    Ok(())
}

/// refinery hides what the server said behind its own words.
fn explain(why: &refinery::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(why);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<tokio_postgres::Error>() {
            return format!("{why}: {}", describe(found));
        }
        cause = error.source();
    }
    why.to_string()
}
