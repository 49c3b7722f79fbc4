//! The texts about how long messages are kept.

texts! {
    give_retention {
        en: "give a time from 1d to 3660d, such as 90d or 36h, or forever",
        id: "tulis waktu dari 1d sampai 3660d, misalnya 90d atau 36h, atau forever",
    }
    give_default_a_time {
        en: "DEFAULT needs a time, such as 90d, or forever",
        id: "DEFAULT butuh waktu, misalnya 90d, atau forever",
    }
    kept_for(name, time) {
        en: "{name}: messages are removed after {time}",
        id: "{name}: pesan dihapus setelah {time}",
    }
    kept_forever(name) {
        en: "{name}: messages are kept for ever",
        id: "{name}: pesan disimpan selamanya",
    }
    title_where { en: "where", id: "di mana" }
    title_kept { en: "kept", id: "disimpan" }
    title_operator { en: "operator", id: "operator" }
    title_owner { en: "owner", id: "pemilik" }
    retention_label { en: "kept", id: "disimpan" }
    removed_so_far(count, when) {
        en: "removed so far: {count}; last look: {when}",
        id: "dihapus sejauh ini: {count}; terakhir diperiksa: {when}",
    }
    clock_is_not_trusted(time) {
        en: "ages count as of {time}, because the clock has moved ahead: it is followed slowly; setting a time again trusts it",
        id: "usia dihitung per {time}, karena jam maju mendadak: jam itu diikuti pelan-pelan; mengatur waktu lagi berarti memercayainya",
    }
}
