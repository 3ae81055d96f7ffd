//! `switchyard config`.

use std::path::PathBuf;

use switch::Config;

use crate::clearing_file::{self, ClearingFile};
use crate::exit::{CONFIG, Exit, OrExit, USAGE};

/// What to do with a configuration.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Check it as `run` would: file, line and fix of the first thing that is wrong.
    #[command(after_help = "Example: switchyard config check --config lab/switchyard.toml")]
    Check {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Every key of every file, as JSON Schema: for editors, and to look a key up.
    #[command(after_help = "Example: switchyard config schema registry.toml > registry.schema.json")]
    Schema {
        /// One of the files that `init` writes; all, by name, when absent.
        file: Option<String>,
    },
    /// Show every value with the file and line that it comes from, then what it all means, every default
    /// included. Passwords are left out.
    #[command(after_help = "Example: switchyard config show --config lab/switchyard.toml")]
    Show {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Check { config } => {
            let checked = Config::load(&config).or_exit(CONFIG)?;
            // A switch without clearing files has none.
            let endpoints = match clearing_file::beside(&config).exists() {
                true => ClearingFile::load(&checked)?.endpoints.len(),
                false => 0,
            };
            println!(
                "{}: good; {} listeners, {} links, {} terminals, {} routes, {endpoints} clearing endpoints",
                config.display(),
                checked.listeners.len(),
                checked.links.len(),
                checked.tables.registry.terminals.len(),
                checked.tables.routes.all().len()
            );
        }
        Action::Schema { file } => {
            let schemas = schemas();
            match file {
                None => println!("{:#}", serde_json::Value::Object(schemas)),
                Some(name) => {
                    let known: Vec<&str> = schemas.keys().map(String::as_str).collect();
                    let unknown = || Exit::new(USAGE, format!("no file {name}; write one of: {}", known.join(", ")));
                    println!("{:#}", schemas.get(&name).ok_or_else(unknown)?);
                }
            }
        }
        Action::Show { config } => {
            let config = Config::load(&config).or_exit(CONFIG)?;
            for file in &config.files {
                for value in switch::config::written(file).or_exit(CONFIG)? {
                    println!("{}:{}: {} = {}", value.file.display(), value.line, value.key, value.value);
                }
            }
            println!("# what it means, with what no file says at its default:");
            println!("{config:#?}");
        }
    }
    Ok(())
}

/// A schema for each file of a configuration.
fn schemas() -> serde_json::Map<String, serde_json::Value> {
    let clearing = ("clearing.toml", clearing_file::schema());
    let draft = |(name, mut schema): (&str, serde_json::Value)| {
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        (name.to_owned(), schema)
    };
    switch::config::schemas().into_iter().chain([clearing]).map(draft).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The keys of a table that the schema does not have.
    fn unknown(place: &str, schema: &Value, value: &toml::Value, missing: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let place = format!("{place}.{key}");
                    match schema["properties"].get(key).or(schema.get("additionalProperties").filter(|any| any.is_object())) {
                        Some(schema) => unknown(&place, schema, value, missing),
                        None if schema.get("type").is_none() => {}
                        None => missing.push(place),
                    }
                }
            }
            toml::Value::Array(items) => {
                items.iter().for_each(|item| unknown(place, schema.get("items").unwrap_or(&Value::Null), item, missing));
            }
            _ => {}
        }
    }

    #[test]
    fn the_schema_has_every_key_that_init_writes() {
        let dir = std::env::temp_dir().join(format!("switchyard-schema-{}", std::process::id()));
        crate::skeleton::write(&dir, &crate::skeleton::Plan::default()).unwrap();
        let schemas = schemas();
        let mut missing = Vec::new();
        for (name, schema) in &schemas {
            let text = std::fs::read_to_string(dir.join(name)).unwrap();
            unknown(name, schema, &text.parse().map(toml::Value::Table).unwrap(), &mut missing);
        }
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!((schemas.len(), missing), (5, Vec::new()));
        let node = &schemas["switchyard.toml"]["properties"];
        let rules = &node["link"]["additionalProperties"]["properties"]["rules"]["properties"];
        assert!(rules["maximum_life"].is_object(), "{node:#}");
        assert_eq!(node["profile"]["enum"], serde_json::json!(["lab", "production"]));
        assert_eq!(node["hsm"]["properties"]["pool"]["properties"]["queue"]["type"], "integer");
        assert_eq!(schemas["clearing.toml"]["properties"]["endpoint"]["items"]["properties"]["network"]["type"], "string");
    }
}
