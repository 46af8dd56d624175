//! Prometheus as Debian ships it (tests/tools/fetch_prometheus.sh): it asks an agent, evaluates the shipped rules and is asked what it knows.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// A program of the package.
pub fn program(name: &str) -> PathBuf {
    let path = harness::root().join("target/prometheus").join(name);
    assert!(path.exists(), "{} is missing: run tests/tools/fetch_prometheus.sh", path.display());
    path
}

/// What is shipped for monitoring.
pub fn shipped(name: &str) -> PathBuf {
    harness::root().join("packaging/monitoring").join(name)
}

/// Answer and text of a request.
pub fn get(port: u16, head: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

/// A server that runs.
pub struct Prometheus {
    child: Child,
    port: u16,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The samples of one scrape, by name and labels.
pub type Scrape = BTreeMap<(String, String), f64>;

impl Prometheus {
    /// Asks an agent four times a second, with these rules.
    pub fn start(folder: &Path, agent: u16, rules: &str) -> Prometheus {
        let port = harness::unused_port();
        fs::write(folder.join("rules.yml"), rules).unwrap();
        let config = format!(
            "global:\n  scrape_interval: 250ms\n  scrape_timeout: 250ms\n  evaluation_interval: 250ms\nrule_files: [rules.yml]\nscrape_configs:\n  - job_name: qaudjrn\n    static_configs: [{{ targets: ['127.0.0.1:{agent}'] }}]\n"
        );
        let path = folder.join("prometheus.yml");
        fs::write(&path, config).unwrap();
        let log = fs::File::create(folder.join("prometheus.log")).unwrap();
        // It ends with the test, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program("prometheus"));
        command.arg(format!("--config.file={}", path.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Prometheus { child: command.spawn().unwrap(), port }
    }

    fn ask(&self, what: &str) -> Option<Value> {
        let (_, body) = get(self.port, &format!("GET /api/v1/{what} HTTP/1.0"))?;
        let answer: Value = serde_json::from_str(&body).ok()?;
        (answer["status"] == "success").then(|| answer["data"].clone())
    }

    /// Whether it has scraped the agent.
    pub fn has_scraped(&self) -> bool {
        let found = self.ask("query?query=up%3D%3D1");
        found.is_some_and(|data| data["result"].as_array().is_some_and(|all| !all.is_empty()))
    }

    /// The alerts that fire, each with what it is about: the name of a source or output, or nothing.
    pub fn firing(&self) -> BTreeSet<(String, String)> {
        let data = self.ask("alerts").unwrap_or_default();
        let alerts = data["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|a| a["state"] == "firing").map(|a| &a["labels"]);
        let text = |labels: &Value, key: &str| labels[key].as_str().unwrap_or_default().to_owned();
        firing.map(|l| (text(l, "alertname"), text(l, "source") + &text(l, "output"))).collect()
    }

    /// Every scrape so far.
    pub fn scrapes(&self) -> Vec<Scrape> {
        // {job="qaudjrn"}[1h]
        let data = self.ask("query?query=%7Bjob%3D%22qaudjrn%22%7D%5B1h%5D").unwrap();
        let mut scrapes: BTreeMap<String, Scrape> = BTreeMap::new();
        for series in data["result"].as_array().unwrap() {
            let labels = &series["metric"];
            let about = |key: &str| labels[key].as_str().unwrap_or_default();
            let name = (about("__name__").to_owned(), format!("{}{}", about("source"), about("output")));
            // Of what was dropped by rule there are several: their sum is counted elsewhere.
            let name = if labels["rule"].is_null() { name } else { (name.0, about("rule").to_owned()) };
            for sample in series["values"].as_array().unwrap() {
                let value = sample[1].as_str().unwrap().parse().unwrap();
                scrapes.entry(sample[0].to_string()).or_default().insert(name.clone(), value);
            }
        }
        scrapes.into_values().collect()
    }
}
