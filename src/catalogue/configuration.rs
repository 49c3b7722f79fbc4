//! The texts about configuration files, and the questions and the file of `chat-cli config init`.

texts! {
    // What is wrong with a file
    cannot_be_read(error) { en: "cannot be read: {error}", id: "tidak bisa dibaca: {error}" }
    has_too_many_bytes(max) {
        en: "it has more than {max} bytes",
        id: "isinya lebih dari {max} byte",
    }
    is_not_toml(error) { en: "is not TOML: {error}", id: "bukan TOML: {error}" }
    no_setting(name) { en: "there is no setting {name}", id: "tidak ada pengaturan {name}" }
    did_you_mean(name) { en: "did you mean {name}?", id: "maksudnya {name}?" }
    there_are(names) { en: "there are: {names}", id: "yang ada: {names}" }
    has_to_be(kind) { en: "it has to be {kind}", id: "harus {kind}" }
    has_to_be_one_of(names) {
        en: "it has to be one of {names}",
        id: "harus salah satu dari {names}",
    }
    kind_text { en: "a text in quotes", id: "teks dalam tanda kutip" }
    kind_number { en: "a whole number", id: "bilangan bulat" }
    kind_switch { en: "true or false", id: "true atau false" }
    kind_list {
        en: "a list of texts, as in [\"a\", \"b\"]",
        id: "daftar teks, seperti [\"a\", \"b\"]",
    }
    no_table(name) { en: "there is no table [{name}]", id: "tidak ada tabel [{name}]" }
    in_no_profile(key) { en: "{key} is outside a profile", id: "{key} berada di luar profil" }
    profile_begins {
        en: "a profile begins with [profile.NAME]",
        id: "sebuah profil dimulai dengan [profile.NAMA]",
    }
    profile_of(name) { en: "profile {name}", id: "profil {name}" }

    // Profiles and users
    user_is_set(user, other) {
        en: "the user is set to {user}, so {other} cannot log in",
        id: "user diatur ke {user}, jadi {other} tidak bisa login",
    }
    log_in_as_other(user, other) {
        en: "chat-cli --user {other} auth, or another --profile; `chat-cli config show` shows where {user} comes from",
        id: "chat-cli --user {other} auth, atau --profile lain; `chat-cli config show` menunjukkan dari mana {user}",
    }
    no_user_named { en: "no user is named to log in as", id: "tidak disebutkan login sebagai siapa" }
    name_user {
        en: "chat-cli auth USER, or set `user` with `chat-cli config init`",
        id: "chat-cli auth USER, atau atur `user` dengan `chat-cli config init`",
    }

    // The configuration
    give_user(reason) {
        en: "{reason}; give 1 to 32 of a-z 0-9 _ -",
        id: "{reason}; beri 1 sampai 32 dari a-z 0-9 _ -",
    }
    no_place_for_configuration {
        en: "there is no place for the configuration",
        id: "tidak ada tempat untuk konfigurasi",
    }
    set_home_for_configuration {
        en: "set HOME, or XDG_CONFIG_HOME, to a folder with an absolute path",
        id: "isi HOME, atau XDG_CONFIG_HOME, dengan folder berpath absolut",
    }
    no_profile(place, name) {
        en: "{place}: there is no profile {name}",
        id: "{place}: tidak ada profil {name}",
    }
    no_profile_without_file(name) {
        en: "there is no profile {name}: no configuration file",
        id: "tidak ada profil {name}: tidak ada file konfigurasi",
    }
    no_profile_name(name) {
        en: "{name} cannot be the name of a profile: give a-z, A-Z, 0-9, _ and -",
        id: "{name} bukan nama profil: beri a-z, A-Z, 0-9, _ dan -",
    }
    configuration_is_there(path) { en: "{path} exists already", id: "{path} sudah ada" }
    edit_configuration {
        en: "edit it; add to it with `chat-cli --profile NAME config init`; or replace it with --force",
        id: "ubah isinya; tambahkan dengan `chat-cli --profile NAMA config init`; atau ganti dengan --force",
    }
    profile_is_there(path, name) {
        en: "{path} has a profile {name} already",
        id: "{path} sudah punya profil {name}",
    }
    edit_profile { en: "edit it, or give another --profile", id: "ubah isinya, atau beri --profile lain" }
    configuration_written(path) { en: "{path}: written", id: "{path}: ditulis" }
    where_is_the_server { en: "What is the server's address?", id: "Apa alamat server?" }
    server_answers(server) { en: "{server} answers", id: "{server} menjawab" }
    write_anyway { en: "Write the file anyway?", id: "Tetap tulis filenya?" }
    who_are_you { en: "What is your user name there?", id: "Apa nama user-mu di sana?" }
    log_in_now(user) { en: "Log in as {user} now?", id: "Login sebagai {user} sekarang?" }
    yes_or_no { en: "Y/n", id: "Y/t" }
    no_or_yes { en: "y/N", id: "y/T" }
    write_profile(name) {
        en: "create it with `chat-cli --profile {name} config init`",
        id: "buat dengan `chat-cli --profile {name} config init`",
    }
    cannot_read(path, error) {
        en: "cannot read {path}: {error}",
        id: "tidak bisa membaca {path}: {error}",
    }
    cannot_write(path, error) {
        en: "cannot write {path}: {error}",
        id: "tidak bisa menulis {path}: {error}",
    }

    // The file that `config init` writes
    file_header {
        en: "\
# The configuration of chat-cli; `chat-cli config show` shows each setting and its source. An option
# precedes an environment variable, that precedes the profile in use, and that the top of this file.
",
        id: "\
# Konfigurasi chat-cli; `chat-cli config show` menunjukkan apa yang berlaku dan kenapa. Opsi didahulukan
# dari variabel environment, itu dari profil yang dipakai, dan itu dari bagian atas file ini.
",
    }
    file_server { en: "# The server's address.", id: "# Alamat server." }
    file_user {
        en: "# The user to act as. This user's session is kept apart from others.",
        id: "# Siapa kamu di sana. Sesi user ini disimpan terpisah dari yang lain.",
    }
    file_footer {
        en: "
# How long to wait for the server.
#timeout = \"10s\"

# How times are shown: local, utc or relative.
#time = \"local\"

# The language: en or id.
#lang = \"en\"

# The profile to use if neither --profile nor CHAT_PROFILE names one.
#default_profile = \"work\"
",
        id: "
# Berapa lama menunggu server.
#timeout = \"10s\"

# Cara waktu ditampilkan: local, utc atau relative.
#time = \"local\"

# Bahasa: en atau id.
#lang = \"id\"

# Profil yang dipakai jika --profile dan CHAT_PROFILE tidak menyebut satu pun.
#default_profile = \"work\"
",
    }
    file_profile {
        en: "
# Another server, or another user: chat-cli --profile work
#[profile.work]
#server = \"chat.example.org:8889\"
#user = \"name\"
",
        id: "
# Server lain, atau user lain: chat-cli --profile work
#[profile.work]
#server = \"chat.example.org:8889\"
#user = \"nama\"
",
    }
}
