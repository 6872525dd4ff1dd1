//! What only services have: restarts, stopping, `expose`.

use std::fmt;

use super::super::keys;
use super::super::model::{
    Backoff, Check, DEFAULT_STOP_TIMEOUT, Expose, OnTimeout, Probe, RestartPolicy, Service,
};
use super::super::signal;
use super::super::suggest;
use super::super::text::Quoted;
use super::super::yaml::{Content, Node};
use super::probe::{set, with_defaults};
use super::value::describe;
use super::{Field, Pair, Part, Walker};

/// Largest growth of the delay between restarts.
pub(in crate::config) const LARGEST_FACTOR: f64 = 1000.0;

/// SIGTERM.
const DEFAULT_STOP_SIGNAL: i32 = 15;

/// A service whose file says nothing.
pub(super) fn defaults() -> Service {
    Service {
        autostart: true,
        restart: RestartPolicy::OnFailure,
        backoff: Backoff::default(),
        ready_when: None,
        stop_signal: DEFAULT_STOP_SIGNAL,
        stop_timeout: DEFAULT_STOP_TIMEOUT,
        expose: None,
    }
}

/// The probe of a service that is exposed and has none of its own.
pub(super) fn probe_of_exposed(expose: Expose) -> Probe {
    Probe {
        on_timeout: OnTimeout::MarkUnhealthy,
        ..with_defaults(Check::Port {
            host: None,
            port: expose.port,
        })
    }
}

impl<'d, 's> Walker<'d, 's> {
    /// Reads one key into `service`; `false` when it is none of a service's own.
    pub(super) fn service_key(
        &mut self,
        pair: &Pair<'d, 's>,
        owner: &dyn fmt::Display,
        service: &mut Service,
    ) -> bool {
        let field = pair.field(owner);
        match pair.key {
            "autostart" => set(&mut service.autostart, self.boolean(&field)),
            "restart" => set(&mut service.restart, self.restart(&field)),
            "backoff" => set(&mut service.backoff, self.backoff(pair.value, owner)),
            "ready_when" => service.ready_when = self.probe(pair.value, owner),
            "stop_signal" => set(&mut service.stop_signal, self.stop_signal(&field)),
            "stop_timeout_ms" => set(&mut service.stop_timeout, self.milliseconds(&field, 0)),
            "expose" => service.expose = self.expose(pair.value, owner),
            "ide" => {
                self.any_mapping(&field);
            }
            _ => return false,
        }
        true
    }

    fn restart(&mut self, field: &Field<'d, 's, '_>) -> Option<RestartPolicy> {
        let words = [
            ("always", RestartPolicy::Always),
            ("on-failure", RestartPolicy::OnFailure),
            ("never", RestartPolicy::Never),
            ("no", RestartPolicy::Never),
        ];
        self.word(field, &words)
    }

    fn backoff(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<Backoff> {
        let part = Part("backoff", owner);
        let pairs = self.pairs(node, &part)?;
        let (mut initial, mut max, mut factor) = (None, None, None);
        for pair in &pairs {
            let field = pair.field(&part);
            match pair.key {
                "initial_ms" => initial = self.milliseconds(&field, 1),
                "max_ms" => max = self.milliseconds(&field, 1).map(|max| (max, pair.value.place)),
                "factor" => factor = self.number(&field, 1.0..=LARGEST_FACTOR),
                _ => self.unknown_key(pair, keys::BACKOFF, &part),
            }
        }
        let default = Backoff::default();
        // An initial_ms that could not be read has been blamed already; no second mistake is made of it.
        let initial_is_unread = initial.is_none() && pairs.iter().any(|pair| pair.key == "initial_ms");
        let start = initial.unwrap_or(default.initial);
        if let Some((max, place)) = max
            && max < start
            && !initial_is_unread
        {
            let origin = if initial.is_some() { "" } else { " (the default)" };
            self.problem_with_hint(
                place,
                format!(
                    "max_ms in {part} is below initial_ms, {}{origin}",
                    start.as_millis()
                ),
                format!("write {} or more, or lower initial_ms", start.as_millis()),
            );
        }
        Some(Backoff {
            initial: start,
            max: max.map_or(default.max.max(start), |(max, _)| max),
            factor: factor.unwrap_or(default.factor),
        })
    }

    fn stop_signal(&mut self, field: &Field<'d, 's, '_>) -> Option<i32> {
        let text = self.text(field)?;
        let number = signal::signal_number(text);
        if number.is_none() {
            let message = format!("{field} is not a signal: {}", describe(field.node));
            let name = text
                .strip_prefix("SIG")
                .or_else(|| text.strip_prefix("sig"))
                .unwrap_or(text);
            let hint = match suggest::nearest(name, signal::names(), &mut self.suggestion_budget) {
                Some(name) => format!("did you mean {}?", Quoted(&format!("SIG{name}"))),
                None => "write a name such as SIGINT, or a number from 1 to 31 or 34 to 64".to_owned(),
            };
            self.problem_with_hint(field.node.place, message, hint);
        }
        number
    }

    fn expose(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<Expose> {
        let part = Part("expose", owner);
        if let Content::Scalar { text, .. } = &node.content
            && !node.is_null()
        {
            let message = format!("{part} must be a mapping, not {}", describe(node));
            self.problem_with_hint(
                node.place,
                message,
                format!("write {{port: {}}}", super::super::text::Plain(text)),
            );
            return None;
        }
        let (mut port, mut has_port) = (None, false);
        for pair in self.pairs(node, &part)? {
            let field = pair.field(&part);
            match pair.key {
                "port" => {
                    has_port = true;
                    port = self.port(&field);
                }
                "as" => {
                    if let Some(value) = self.whole_number(&field, i64::MIN..=i64::MAX)
                        && value != 80
                    {
                        self.problem_with_hint(
                            pair.value.place,
                            format!("{field} can only be 80"),
                            "remove it: 80 is the default",
                        );
                    }
                }
                _ => self.unknown_key(&pair, keys::EXPOSE, &part),
            }
        }
        if !has_port {
            self.problem_with_hint(
                node.place,
                format!("{part} has no port"),
                "add port: with the port it listens on",
            );
        }
        Some(Expose {
            port: port?,
            published_as: 80,
        })
    }

    /// A mapping whose content is somebody else's concern.
    pub(super) fn any_mapping(&mut self, field: &Field<'d, 's, '_>) -> bool {
        match &field.node.content {
            Content::Mapping(entries) => !entries.is_empty(),
            Content::Scalar { .. } | Content::Sequence(_) => {
                let message = format!("{field} must be a mapping, not {}", describe(field.node));
                self.problem(field.node.place, message);
                false
            }
        }
    }
}
