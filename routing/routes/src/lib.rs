//! Routing: which links may carry a card, in which order. Pure and synchronous; tables are read from
//! a file and compiled once.
#![forbid(unsafe_code)]

use payments::outgoing::MessageSystem;
use payments::{LinkId, RouteId};
use serde::Deserialize;

/// `routes.toml` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesFile {
    /// The routes; the longest BIN prefix wins, not the order.
    #[serde(default)]
    pub route: Vec<RouteEntry>,
}

/// One `[[route]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteEntry {
    /// Its name, as it appears on payments.
    pub name: RouteId,
    /// PAN prefixes or ranges of prefixes of equal length: `"541333"`, `"510000-559999"`.
    pub bins: Vec<String>,
    /// How the route settles.
    pub system: MessageSystem,
    /// Links in order of preference.
    pub links: Vec<LinkId>,
}

/// A route that cannot be used, with the place and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A BIN range that cannot be read.
    #[error(
        "route {route}: \"{range}\" is not a BIN range; write \"541333\" or \"510000-559999\" (1 to 6 digits, both ends of one length)"
    )]
    Range {
        /// The route.
        route: RouteId,
        /// What stands there.
        range: String,
    },
    /// Two routes claim the same prefix at the same length.
    #[error("routes {first} and {second} both claim BIN {bin}; make one of the ranges narrower")]
    Overlap {
        /// One route.
        first: RouteId,
        /// The other.
        second: RouteId,
        /// The first BIN that both claim.
        bin: String,
    },
    /// A route without links.
    #[error("route {route} has no links; name at least one")]
    NoLinks {
        /// The route.
        route: RouteId,
    },
}

impl RouteError {
    /// The route to look at.
    pub fn route(&self) -> &RouteId {
        match self {
            Self::Range { route, .. } | Self::NoLinks { route } => route,
            Self::Overlap { second, .. } => second,
        }
    }
}

/// A route as compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub name: RouteId,
    /// How it settles.
    pub system: MessageSystem,
    /// Links in order of preference.
    pub links: Vec<LinkId>,
}

/// Compiled routes: ranges over the first six digits, the narrowest first.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    routes: Vec<Route>,
    /// `(digits, low, high, route)`, sorted by digits descending, then low. `low` and `high` are
    /// prefixes of `digits` digits.
    ranges: Vec<(usize, u32, u32, usize)>,
}

impl Routes {
    /// Compiles and checks.
    pub fn compile(file: &RoutesFile) -> Result<Self, RouteError> {
        let mut routes = Vec::new();
        let mut ranges: Vec<(usize, u32, u32, usize)> = Vec::new();
        for (index, entry) in file.route.iter().enumerate() {
            if entry.links.is_empty() {
                return Err(RouteError::NoLinks { route: entry.name });
            }
            for range in &entry.bins {
                let (digits, low, high) =
                    parse_range(range).ok_or_else(|| RouteError::Range { route: entry.name, range: range.clone() })?;
                if let Some((_, other_low, _, other)) =
                    ranges.iter().find(|(d, l, h, other)| *d == digits && *l <= high && low <= *h && *other != index)
                {
                    let bin = format!("{:0digits$}", low.max(*other_low));
                    let first = file.route.get(*other).map_or(entry.name, |route| route.name);
                    return Err(RouteError::Overlap { first, second: entry.name, bin });
                }
                ranges.push((digits, low, high, index));
            }
            routes.push(Route { name: entry.name, system: entry.system, links: entry.links.clone() });
        }
        ranges.sort_by_key(|(digits, low, ..)| (std::cmp::Reverse(*digits), *low));
        Ok(Self { routes, ranges })
    }

    /// The route of a card by its first six digits; the longest matching prefix wins.
    pub fn find(&self, first_six: &str) -> Option<&Route> {
        self.ranges.iter().find_map(|(digits, low, high, route)| {
            let prefix: u32 = first_six.get(..*digits)?.parse().ok()?;
            (*low..=*high).contains(&prefix).then(|| self.routes.get(*route))?
        })
    }

    /// Every route.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }
}

fn parse_range(text: &str) -> Option<(usize, u32, u32)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let sound = |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !sound(low) || !sound(high) || low.len() != high.len() || low > high {
        return None;
    }
    Some((low.len(), low.parse().ok()?, high.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(text: &str) -> Result<Routes, RouteError> {
        Routes::compile(&toml::from_str(text).unwrap())
    }

    const TWO: &str = r#"
        [[route]]
        name = "wide"
        bins = ["51-55"]
        system = "dual"
        links = ["a", "b"]
        [[route]]
        name = "narrow"
        bins = ["541333"]
        system = "single"
        links = ["c"]
    "#;

    #[test]
    fn the_longest_prefix_wins() {
        let table = routes(TWO).unwrap();
        assert_eq!(table.find("541333").unwrap().name.as_str(), "narrow");
        assert_eq!(table.find("541334").unwrap().name.as_str(), "wide");
        assert!(table.find("400000").is_none());
    }

    #[test]
    fn overlaps_and_bad_ranges_are_refused_by_name() {
        let twice = TWO.replace("541333", "53");
        assert!(matches!(routes(&twice), Err(RouteError::Overlap { bin, .. }) if bin == "53"));
        let bad = TWO.replace("51-55", "55-51");
        assert!(routes(&bad).unwrap_err().to_string().contains("55-51"));
    }
}
