//! The list of the keys that a configuration file can set.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Settings;
use crate::catalogue::{LANGUAGE_VARIABLE, configuration};
use crate::client::arguments::{SERVER_DEFAULT, parse_timeout, parse_user};

/// A key of the configuration file.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Parses a value and stores it, replacing the previous one.
    pub(super) put: fn(&mut Settings, &str) -> Result<(), String>,
    /// The default, if there is one.
    pub(super) default: Option<&'static str>,
    /// The environment variable for the same setting.
    pub(super) variable: Option<&'static str>,
}

/// A new key needs a row here, a field of [`Settings`] and a line in `Settings::overridden_by`.
pub(super) const KEYS: [Key; 7] = [
    Key {
        name: "server",
        put: |settings, text| {
            settings.server = Some(text.parse().map_err(|error| format!("{error}"))?);
            Ok(())
        },
        default: Some(SERVER_DEFAULT),
        variable: Some("CHAT_SERVER"),
    },
    Key {
        name: "tls-ca",
        put: |settings, text| {
            settings.tls_ca = Some(PathBuf::from(text));
            Ok(())
        },
        default: None,
        variable: Some("CHAT_TLS_CA"),
    },
    Key {
        name: "user",
        put: |settings, text| {
            settings.user = Some(parse_user(text)?);
            Ok(())
        },
        default: None,
        variable: Some("CHAT_USER"),
    },
    Key {
        name: "timeout",
        put: |settings, text| {
            settings.timeout = Some(parse_timeout(text)?);
            Ok(())
        },
        default: Some("10s"),
        variable: None,
    },
    Key {
        name: "time",
        put: |settings, text| {
            settings.time = Some(one_of(text)?);
            Ok(())
        },
        default: None,
        variable: None,
    },
    Key {
        name: "lang",
        put: |settings, text| {
            settings.lang = Some(one_of(text)?);
            Ok(())
        },
        default: None,
        variable: Some(LANGUAGE_VARIABLE),
    },
    Key {
        name: "bell",
        put: |settings, text| {
            settings.bell = Some(one_of(text)?);
            Ok(())
        },
        default: Some("off"),
        variable: None,
    },
];

fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
        configuration::has_to_be_one_of(names.join(", "))
    })
}
