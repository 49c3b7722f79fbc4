//! Parses Prometheus's text format strictly: a deviation from the format fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of one scrape.
pub struct Scrape {
    /// By the name of the family.
    pub families: BTreeMap<String, Family>,
}

/// One metric.
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Its help text.
    pub help: String,
    /// In the order of the text.
    pub samples: Vec<Sample>,
}

/// One line.
pub struct Sample {
    /// With the suffix.
    pub name: String,
    /// In the order of the text.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

impl Scrape {
    /// Parses a scrape, and checks all that the format promises.
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
                let kind = kind.and_then(|rest| rest.strip_prefix(name)).map(str::trim);
                let kind =
                    kind.unwrap_or_else(|| panic!("{name} has a help and no type")).to_owned();
                let family = Family { kind, help: help.to_owned(), samples: Vec::new() };
                assert!(families.insert(name.to_owned(), family).is_none(), "{name} is there once");
                current = name.to_owned();
                continue;
            }
            assert!(!line.starts_with('#'), "{line}");
            let sample = parse_sample(line);
            let family = families.get_mut(&current).unwrap_or_else(|| panic!("{line}"));
            let suffixes: &[&str] =
                if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            let suffix = sample.name.strip_prefix(&current);
            assert!(suffix.is_some_and(|suffix| suffixes.contains(&suffix)), "{line} in {current}");
            family.samples.push(sample);
        }
        families.iter().for_each(|(name, family)| check(name, family));
        Self { families }
    }

    /// The value of the sample that has exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("{name} {labels:?} is missing"))
    }

    /// [`Self::value`], or 0 if it is missing: a count of nothing may be omitted.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or(0.0)
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        let same = |sample: &&Sample| {
            let own = sample.labels.iter().map(|(label, value)| (label.as_str(), value.as_str()));
            sample.name == name && own.eq(labels.iter().copied())
        };
        samples.into_iter().find(same).map(|sample| sample.value)
    }
}

fn parse_sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().unwrap_or_else(|_| panic!("{line}: {value} is no number")),
    };
    let (name, labels) = match series.split_once('{') {
        None => (series, Vec::new()),
        Some((name, rest)) => {
            let inside = rest.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
            (name, inside.split(',').map(|label| parse_label(line, label)).collect())
        }
    };
    assert!(is_name(name), "{line}");
    Sample { name: name.to_owned(), labels, value }
}

fn parse_label(line: &str, text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or_else(|| panic!("{line}: {text}"));
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let value = value.unwrap_or_else(|| panic!("{line}: {text} is not quoted"));
    assert!(is_name(name) && !value.contains(['"', '\\', '\n']), "{line}");
    (name.to_owned(), value.to_owned())
}

fn is_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.bytes().all(inside) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Types match names, every series is there once, and histograms add up.
fn check(name: &str, family: &Family) {
    assert!(family.help.ends_with('.') && !family.help.contains('\\'), "{name}: {}", family.help);
    let unit = ["_seconds", "_bytes"];
    match family.kind.as_str() {
        "counter" => assert!(name.ends_with("_total"), "{name} is a counter"),
        "gauge" => assert!(!name.ends_with("_total"), "{name} is a gauge"),
        "histogram" => {
            let counts = name.ends_with("_operations");
            assert!(counts || unit.iter().any(|unit| name.ends_with(unit)), "{name} has its unit");
        }
        kind => panic!("{name} is a {kind}"),
    }
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        let series = format!("{} {:?}", sample.name, sample.labels);
        assert!(seen.insert(series.clone()), "{series} is there once");
        let counts = family.kind != "gauge";
        assert!(sample.value.is_finite() && !(counts && sample.value < 0.0), "{series}");
    }
    if family.kind == "histogram" {
        check_histogram(name, family);
    }
}

fn check_histogram(name: &str, family: &Family) {
    let mut series: BTreeMap<String, Vec<&Sample>> = BTreeMap::new();
    for sample in &family.samples {
        let labels = sample.labels.iter().filter(|(label, _)| label != "le");
        series.entry(format!("{:?}", labels.collect::<Vec<_>>())).or_default().push(sample);
    }
    for (labels, samples) in series {
        let buckets: Vec<(f64, f64)> = samples
            .iter()
            .filter(|sample| sample.name.ends_with("_bucket"))
            .map(|sample| {
                let (_, bound) = sample.labels.last().expect("a bucket has a bound");
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                (bound, sample.value)
            })
            .collect();
        assert!(buckets.is_sorted_by(|low, high| low.0 < high.0), "{name} {labels}: bounds");
        assert!(buckets.is_sorted_by(|low, high| low.1 <= high.1), "{name} {labels}: counts");
        let (last, all) = *buckets.last().expect("buckets");
        let one = |suffix| {
            let found: Vec<f64> = samples
                .iter()
                .filter(|sample| sample.name == format!("{name}{suffix}"))
                .map(|sample| sample.value)
                .collect();
            assert_eq!(found.len(), 1, "{name}{suffix} {labels}");
            found[0]
        };
        assert!(last.is_infinite() && one("_count") == all, "{name} {labels}: the last bucket");
        assert_eq!(one("_sum") > 0.0, all > 0.0, "{name} {labels}: the sum");
    }
}
