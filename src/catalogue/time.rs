//! Times as people say them.

texts! {
    just_now { en: "just now", id: "baru saja" }
    minutes_ago(count) { en: "{count} min ago", id: "{count} mnt lalu" }
    hours_ago(count) { en: "{count} h ago", id: "{count} jam lalu" }
    yesterday { en: "yesterday", id: "kemarin" }
    days_ago(count) { en: "{count} days ago", id: "{count} hari lalu" }
    left(duration) { en: "{duration} left", id: "sisa {duration}" }
    monday { en: "Mon", id: "Sen" }
    tuesday { en: "Tue", id: "Sel" }
    wednesday { en: "Wed", id: "Rab" }
    thursday { en: "Thu", id: "Kam" }
    friday { en: "Fri", id: "Jum" }
    saturday { en: "Sat", id: "Sab" }
    sunday { en: "Sun", id: "Min" }
}
