//! Plays histories.
fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (from, to) = (args.first().copied().unwrap_or(1), args.get(1).copied().unwrap_or(100));
    let mut counters = simulation::Counters::default();
    let started = std::time::Instant::now();
    let mut bad = 0;
    for seed in from..=to {
        let outcome = simulation::play(seed, simulation::Options::default());
        counters.absorb(&outcome.counters);
        if !outcome.objections.is_empty() {
            bad += 1;
            println!("seed {seed}: {} objections: {}", outcome.objections.len(), outcome.objections[0].what);
            if args.len() == 3 {
                let again = simulation::play(seed, simulation::Options { story: true, ..Default::default() });
                for o in &again.objections {
                    println!("  {} {:?}", o.what, o.about);
                }
                for line in &again.story {
                    println!("    {line}");
                }
            }
        }
    }
    print!("{}", counters.table());
    println!("{bad} bad, {:?}, zero: {:?}", started.elapsed(), counters.zero());
}
