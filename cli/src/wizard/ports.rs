//! No two services on one port: the second is given another where it can be told, and named where it cannot.

use std::collections::HashMap;

use super::proposal::{Plan, PortSetting, Run};

/// Settles the ports of a plan, and says which are only what such programs usually have.
pub(crate) fn settle(plan: &mut Plan) {
    let mut owners: HashMap<u16, String> = HashMap::new();
    // Those that cannot be told keep theirs.
    for unit in &plan.units {
        if let Some(port) = unit.port.filter(|port| port.setting == PortSetting::Fixed) {
            owners.entry(port.number).or_insert_with(|| unit.name.clone());
        }
    }
    // What is likeliest looked at in a browser has the port that people expect.
    let mut order: Vec<usize> = (0..plan.units.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(plan.units[index].web));
    for index in order {
        let unit = &mut plan.units[index];
        let Some(port) = &mut unit.port else { continue };
        if !port.sure {
            unit.comment.push(format!(
                "Port {} is what such programs usually have; correct it where this one differs.",
                port.number
            ));
        }
        let owner = owners
            .entry(port.number)
            .or_insert_with(|| unit.name.clone())
            .clone();
        if owner == unit.name {
            continue;
        }
        if port.setting == PortSetting::Fixed {
            plan.notes.push(format!(
                "{} and {owner} both listen on port {}: give one of them another",
                unit.name, port.number
            ));
            continue;
        }
        let Some(free) = (port.number..u16::MAX).find(|number| !owners.contains_key(number)) else {
            continue;
        };
        unit.comment
            .push(format!("Port {} is that of {owner}.", port.number));
        port.number = free;
        owners.insert(free, unit.name.clone());
        match port.setting {
            PortSetting::Variable(name) => {
                unit.env.retain(|(other, _)| other != name);
                unit.env.push((name.to_owned(), free.to_string()));
            }
            PortSetting::Option(option) => {
                if let Run::Shell(command) = &mut unit.run {
                    command.push_str(&format!(" {option} {free}"));
                }
            }
            PortSetting::Fixed => {}
        }
    }
}
