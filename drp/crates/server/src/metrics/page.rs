//! The text format of Prometheus, version 0.0.4.

use super::list::Metric;
use std::fmt::Write;
use std::time::Duration;

/// Content type of the format.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page being written.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// Starts a family; its samples follow.
    pub(super) fn family(&mut self, metric: &Metric) -> &mut Self {
        let _ = writeln!(
            self.0,
            "# HELP {} {}\n# TYPE {} {}",
            metric.name, metric.help, metric.name, metric.kind
        );
        self
    }

    /// A family of one number.
    pub(super) fn one(&mut self, metric: &Metric, value: f64) {
        self.family(metric).sample(metric.name, &[], value);
    }

    /// A number with labels.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }

    /// A histogram: how many fell into each bucket, by its upper bound in seconds, and at the end the rest.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        label: Option<(&str, &str)>,
        bounds: &[f64],
        counts: &[u64],
        sum: Duration,
    ) {
        let mut total = 0;
        for (place, count) in counts.iter().enumerate() {
            total += count;
            let bound = bounds.get(place).map_or("+Inf".to_owned(), f64::to_string);
            let labels: Vec<(&str, &str)> = label.into_iter().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, total as f64);
        }
        let labels: Vec<(&str, &str)> = label.into_iter().collect();
        self.sample(&format!("{name}_sum"), &labels, sum.as_secs_f64());
        self.sample(&format!("{name}_count"), &labels, total as f64);
    }

    pub(super) fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_labels_are_escaped_and_buckets_add_up() {
        let mut page = Page::default();
        page.sample("a", &[("x", "say \"hi\"\n\\"), ("y", "")], 1.5);
        page.histogram("h", Some(("r", "/x")), &[0.1, 1.0], &[2, 1, 4], Duration::from_millis(2500));
        let expected = "a{x=\"say \\\"hi\\\"\\n\\\\\",y=\"\"} 1.5\n\
            h_bucket{r=\"/x\",le=\"0.1\"} 2\nh_bucket{r=\"/x\",le=\"1\"} 3\nh_bucket{r=\"/x\",le=\"+Inf\"} 7\n\
            h_sum{r=\"/x\"} 2.5\nh_count{r=\"/x\"} 7\n";
        assert_eq!(page.text(), expected);
    }
}
