//! What `chat-server` says of its commands: results, and what went wrong with what to do about it.
//! Not what it says on the wire, and not its log.

texts! {
    // Of every command
    output_failed(error) {
        en: "cannot write the output: {error}",
        id: "tidak bisa menulis keluaran: {error}",
    }
    input_failed(error) {
        en: "cannot read standard input: {error}",
        id: "standard input tidak bisa dibaca: {error}",
    }
    answer_failed(error) {
        en: "cannot write the answer: {error}",
        id: "tidak bisa menulis jawaban: {error}",
    }
    cannot_be_undone {
        en: "this cannot be undone, and there is no terminal to confirm it",
        id: "ini tidak bisa dibatalkan, dan tidak ada terminal untuk mengonfirmasinya",
    }
    give_yes { en: "give --yes", id: "tambahkan --yes" }
    question(text) { en: "{text} [y/N] ", id: "{text} [y/T] " }
    new_database(path) { en: "new database {path}", id: "database baru {path}" }
    one_message { en: "1 message", id: "1 pesan" }
    several_messages(count) { en: "{count} messages", id: "{count} pesan" }
    one_user { en: "1 user", id: "1 user" }
    several_users(count) { en: "{count} users", id: "{count} user" }
    one_cursor { en: "1 cursor", id: "1 kursor" }
    several_cursors(count) { en: "{count} cursors", id: "{count} kursor" }
    one_mark { en: "1 read mark", id: "1 tanda baca" }
    several_marks(count) { en: "{count} read marks", id: "{count} tanda baca" }
    one_finding { en: "1 finding", id: "1 temuan" }
    several_findings(count) { en: "{count} findings", id: "{count} temuan" }
    nothing_done { en: "nothing was done", id: "tidak ada yang dilakukan" }
    nothing_done_try_again {
        en: "nothing was done; try again",
        id: "tidak ada yang dilakukan; coba lagi",
    }

    // The way to the database
    no_database(path) { en: "there is no database {path}", id: "tidak ada database {path}" }
    give_database {
        en: "give another --db; `chat-server serve` and `chat-server user add` create one",
        id: "beri --db lain; `chat-server serve` dan `chat-server user add` membuatnya",
    }
    does_not_answer {
        en: "it does not answer on the admin socket: it is starting, stopping, or another program; try again",
        id: "tidak menjawab di socket admin: sedang mulai, sedang berhenti, atau program lain; coba lagi",
    }
    no_thread(error) {
        en: "cannot start a thread: {error}",
        id: "thread tidak bisa dijalankan: {error}",
    }
    request_lost { en: "the request was lost", id: "permintaannya hilang" }
    be_the_servers_user {
        en: "run the command as the user that the server runs as",
        id: "jalankan perintah ini sebagai user yang menjalankan server",
    }
    server_accepts_none {
        en: "the server accepts no connections: it is suspended or overloaded",
        id: "server tidak menerima koneksi: sedang dihentikan sementara, atau kelebihan beban",
    }
    look_at_server {
        en: "check whether the server runs, then try again",
        id: "periksa apakah server berjalan, lalu coba lagi",
    }
    not_connected(path, error) {
        en: "cannot connect to {path}: {error}",
        id: "tidak bisa tersambung ke {path}: {error}",
    }
    answer_endless {
        en: "the server's answer is too long",
        id: "jawaban server terlalu panjang",
    }
    not_in_time { en: "there was no answer in time", id: "tidak ada jawaban pada waktunya" }
    hung_up {
        en: "the server hung up before it answered",
        id: "server memutus sebelum menjawab",
    }
    outcome_unknown {
        en: "the outcome is unknown: check the current state, then try again",
        id: "hasilnya belum pasti: periksa keadaannya, lalu coba lagi",
    }
    user_list_shows {
        en: "`chat-server user list` lists the users",
        id: "`chat-server user list` menampilkan para user",
    }
    room_list_shows {
        en: "`chat-server room list` lists the rooms",
        id: "`chat-server room list` menampilkan ruang-ruangnya",
    }
    open_room_again {
        en: "`chat-server room archive ROOM --undo` opens it again",
        id: "`chat-server room archive ROOM --undo` membukanya lagi",
    }
    add_an_owner {
        en: "`chat-server room add ROOM USER --role owner` makes another user the owner",
        id: "`chat-server room add ROOM USER --role owner` menjadikan user lain pemiliknya",
    }
    session_list_shows {
        en: "`chat-server session list` lists the sessions",
        id: "`chat-server session list` menampilkan sesi-sesinya",
    }
    add_own_passwords {
        en: "add users with passwords of their own",
        id: "tambahkan user dengan password masing-masing",
    }
    choose_another_name { en: "choose another name", id: "pilih nama lain" }
    restart_server {
        en: "restart the server, or use the chat-server that runs",
        id: "jalankan ulang server, atau pakai chat-server yang sedang berjalan",
    }
    nothing_done_make_room {
        en: "nothing was done; make room on the disk",
        id: "tidak ada yang dilakukan; kosongkan ruang di disk",
    }
    unexpected_answer(answer) {
        en: "the answer is for another request: {answer}",
        id: "jawabannya untuk permintaan lain: {answer}",
    }

    // The file
    nothing_acknowledged_since {
        en: "nothing was acknowledged since; check the disk, then start again",
        id: "sejak itu tidak ada yang dikonfirmasi; periksa disk, lalu jalankan lagi",
    }
    upgraded(path, from, to, copy) {
        en: "{path} was upgraded from schema {from} to {to}; a copy of the old file is {copy}",
        id: "{path} diperbarui dari skema {from} ke {to}; salinan file lamanya ada di {copy}",
    }
    give_file {
        en: "give the path of a file: --db chat.sqlite",
        id: "beri path sebuah file: --db chat.sqlite",
    }
    give_another_database {
        en: "the file was left as it was; give another --db",
        id: "filenya dibiarkan seperti semula; beri --db lain",
    }
    move_foreign_wal(wal) {
        en: "every file was left as it was; to use the database as it is, move {wal} away: it may hold newer messages; to keep those, put back the database that it was beside",
        id: "semua file dibiarkan seperti semula; untuk memakai database apa adanya, pindahkan {wal}: mungkin ada pesan yang lebih baru di dalamnya; agar pesan itu tetap ada, kembalikan database pasangannya",
    }
    move_orphan_wal(wal) {
        en: "every file was left as it was; put the database back, or move {wal} away to begin a new one",
        id: "semua file dibiarkan seperti semula; kembalikan database-nya, atau pindahkan {wal} untuk memulai yang baru",
    }
    read_again {
        en: "a server has begun to write; run the command again",
        id: "sebuah server mulai menulis; jalankan perintahnya lagi",
    }
    go_back(db, copy) {
        en: "use the chat-server that made it; or go back to what it was before the upgrade: move it away, then `chat-server --db {db} restore {copy}`",
        id: "pakai chat-server yang membuatnya; atau kembali ke sebelum pembaruan: pindahkan, lalu `chat-server --db {db} restore {copy}`",
    }
    use_its_program {
        en: "use the chat-server that made it; or restore a backup that is as old as this program",
        id: "pakai chat-server yang membuatnya; atau pulihkan backup yang selama program ini",
    }
    upgrade_by_writing {
        en: "`chat-server stats` and whatever else may write upgrades it, and keeps a copy",
        id: "`chat-server stats` dan perintah lain yang boleh menulis memperbaruinya, dan menyimpan salinan",
    }
    give_file_in_folder {
        en: "give the path of a file in a folder that exists",
        id: "beri path sebuah file di folder yang ada",
    }
    nothing_overwritten {
        en: "nothing is overwritten; give another name, or move it away",
        id: "tidak ada yang ditimpa; beri nama lain, atau pindahkan",
    }
    stop_other_server {
        en: "one server serves a database; stop the other one first",
        id: "satu database dilayani satu server; hentikan dulu yang lain",
    }
    make_room_beside {
        en: "the database is as it was; make room beside it, then start again",
        id: "database-nya seperti semula; kosongkan ruang di sebelahnya, lalu jalankan lagi",
    }
    database_server_must_run {
        en: "PostgreSQL has to run there and accept this user; nothing was changed",
        id: "PostgreSQL harus berjalan di sana dan menerima pengguna itu; tidak ada yang berubah",
    }
    must_write_folder {
        en: "the server has to be able to write the file and its folder",
        id: "server harus bisa menulis file itu dan foldernya",
    }

    // Users and sessions
    no_user_name(given, problem) {
        en: "{given} is no user name: {problem}",
        id: "{given} bukan nama user: {problem}",
    }
    give_user_name(max) {
        en: "give 1 to {max} of a-z, 0-9, _ and -",
        id: "beri 1 sampai {max} dari a-z, 0-9, _ dan -",
    }
    no_display_name(given, problem) {
        en: "{given} is no display name: {problem}",
        id: "{given} bukan nama panggilan: {problem}",
    }
    give_display_name(max) {
        en: "give 1 to {max} bytes without control characters",
        id: "beri 1 sampai {max} byte tanpa karakter kontrol",
    }
    password_again_prompt { en: "The same again: ", id: "Sekali lagi: " }
    passwords_differ {
        en: "the two passwords are not the same",
        id: "kedua password tidak sama",
    }
    password_not_utf8 {
        en: "the password is refused: it is not UTF-8",
        id: "password ditolak: bukan UTF-8",
    }
    password_refused(problem) {
        en: "the password is refused: {problem}",
        id: "password ditolak: {problem}",
    }
    give_password(max) {
        en: "type 1 to {max} bytes, or give them as the first line of standard input; or give --generate",
        id: "ketik 1 sampai {max} byte, atau berikan sebagai baris pertama standard input; atau beri --generate",
    }
    password_not_made(error) {
        en: "cannot generate a password: {error}",
        id: "password tidak bisa dibuat: {error}",
    }
    too_little_random {
        en: "the system gives too few random bytes",
        id: "sistem memberi terlalu sedikit byte acak",
    }
    user_added(name) { en: "{name} is added", id: "{name} ditambahkan" }
    users_added(names) { en: "added {names}", id: "ditambahkan: {names}" }
    user_disabled(name, sessions) {
        en: "{name} is disabled, {sessions}",
        id: "{name} dinonaktifkan, {sessions}",
    }
    user_enabled(name) { en: "{name} is enabled", id: "{name} diaktifkan" }
    user_renamed(from, to) { en: "{from} is {to} now", id: "{from} sekarang {to}" }
    delete_user(name) {
        en: "delete the user {name}, and keep the name and the messages?",
        id: "hapus user {name}, dan simpan nama serta pesannya?",
    }
    delete_user_and_messages(name) {
        en: "delete the user {name}, and every message from and to the user?",
        id: "hapus user {name}, beserta semua pesan dari dan untuknya?",
    }
    user_deleted(name, sessions) {
        en: "{name} is deleted, {sessions}",
        id: "{name} dihapus, {sessions}",
    }
    password_changed(name, sessions) {
        en: "{name} has a new password, {sessions}",
        id: "password {name} sudah diganti, {sessions}",
    }
    state_active { en: "active", id: "aktif" }
    state_disabled { en: "disabled", id: "nonaktif" }
    state_deleted { en: "deleted", id: "dihapus" }
    published_password(state) {
        en: "{state}, published password",
        id: "{state}, password diketahui umum",
    }
    title_name { en: "name", id: "nama" }
    title_display_name { en: "display name", id: "nama panggilan" }
    title_created { en: "created", id: "dibuat" }
    title_last_seen { en: "last seen", id: "terakhir dilihat" }
    title_unread { en: "unread", id: "belum dibaca" }
    title_state { en: "state", id: "keadaan" }
    title_sent { en: "sent", id: "terkirim" }
    title_received { en: "received", id: "diterima" }
    title_session { en: "session", id: "sesi" }
    title_cursor { en: "cursor", id: "kursor" }
    title_user { en: "user", id: "user" }
    title_expires { en: "expires", id: "kedaluwarsa" }
    session_line(id, opened, seen) {
        en: "{id}, opened {opened}, last used {seen}",
        id: "{id}, dibuka {opened}, terakhir dipakai {seen}",
    }
    cursor_line(name, id, moved) {
        en: "{name} at {id}, moved {moved}",
        id: "{name} di {id}, dipindah {moved}",
    }
    give_users {
        en: "give users as [{\"name\": \"alice\", \"display_name\": \"Alice\", \"password\": \"...\"}]",
        id: "tulis user seperti [{\"name\": \"alice\", \"display_name\": \"Alice\", \"password\": \"...\"}]",
    }
    file_too_long(path, max) {
        en: "{path} is longer than {max} bytes",
        id: "{path} lebih panjang dari {max} byte",
    }
    no_list_of_users(path, line, column) {
        en: "{path} is not a list of users at line {line}, column {column}",
        id: "{path} bukan daftar user, di baris {line}, kolom {column}",
    }
    too_many_users(path, max) {
        en: "{path} has more than {max} users",
        id: "{path} berisi lebih dari {max} user",
    }

    // How it does
    users_active { en: "users active", id: "user aktif" }
    users_disabled { en: "users disabled", id: "user nonaktif" }
    users_deleted { en: "users deleted", id: "user dihapus" }
    sessions { en: "sessions", id: "sesi" }
    messages { en: "messages", id: "pesan" }
    messages_last_hour { en: "messages last hour", id: "pesan sejam terakhir" }
    messages_last_day { en: "messages last day", id: "pesan sehari terakhir" }
    last_id { en: "last id", id: "id terakhir" }
    file { en: "file", id: "file" }
    log { en: "log", id: "log" }
    free { en: "free", id: "kosong" }
    schema { en: "schema", id: "skema" }
    version { en: "version", id: "versi" }
    engine { en: "engine", id: "mesin database" }
    durability { en: "durability", id: "ketahanan" }
    durability_found { en: "durability found", id: "ketahanan yang ditemukan" }
    standbys { en: "standbys connected", id: "standby terhubung" }
    nodes { en: "nodes", id: "node" }
    node { en: "node", id: "node ini" }
    lease_age { en: "lease age ms", id: "umur sewa (ms)" }
    lag_messages { en: "lag messages", id: "pesan tertinggal" }
    lag { en: "lag ms", id: "tertinggal (ms)" }
    server { en: "server", id: "server" }
    no_server { en: "none", id: "tidak ada" }
    process(pid) { en: "process {pid}", id: "proses {pid}" }
    started { en: "started", id: "mulai" }
    uptime { en: "uptime seconds", id: "berjalan (detik)" }
    connections { en: "connections", id: "koneksi" }
    watchers { en: "watchers", id: "pemantau" }
    not_served(path) { en: "no server serves {path}", id: "tidak ada server yang melayani {path}" }
    healthy(milliseconds) {
        en: "healthy: wrote and read in {milliseconds} ms",
        id: "sehat: menulis dan membaca dalam {milliseconds} ms",
    }

    // Messages
    purging { en: "purging", id: "membuang" }
    messages_purged(messages) { en: "{messages} purged", id: "{messages} dibuang" }
    messages_would_be_purged(messages) {
        en: "{messages} would be purged",
        id: "{messages} akan dibuang",
    }
    unread_stay(messages) {
        en: "{messages} unread, and kept (--unread-too)",
        id: "{messages} belum dibaca, dan tetap ada (--unread-too)",
    }
    log_still_read {
        en: "a reader still uses the WAL, which contains them; it is emptied once the reader has finished and no message has come for ten seconds, or when the server stops",
        id: "WAL masih dipakai pembaca, dan masih memuatnya; WAL dikosongkan setelah pembaca selesai dan tidak ada pesan selama sepuluh detik, atau saat server berhenti",
    }
    not_compacted(megabytes) {
        en: "some may remain in unused parts of the file; --compact rewrites its {megabytes} MB, and no client can send meanwhile",
        id: "sebagian mungkin masih ada di bagian file yang tidak terpakai; --compact menulis ulang {megabytes} MB-nya, dan sementara itu tidak ada klien yang bisa mengirim",
    }

    // Copies
    no_folder(path) { en: "{path} is no folder", id: "{path} bukan folder" }
    give_folder {
        en: "with --every give a folder that exists: each backup in it is named after its time",
        id: "dengan --every beri folder yang ada: setiap backup di dalamnya dinamai menurut waktunya",
    }
    backing_up { en: "backing up", id: "membuat backup" }
    restoring { en: "restoring", id: "memulihkan" }
    old_backups_not_removed(path, error) {
        en: "cannot remove old backups: {path}: {error}",
        id: "backup lama tidak bisa dihapus: {path}: {error}",
    }
    backup_made(path, messages, users, newest, bytes) {
        en: "{path}: {messages}, {users}, newest id {newest}, {bytes} bytes",
        id: "{path}: {messages}, {users}, id terbaru {newest}, {bytes} byte",
    }
    nothing_left_there {
        en: "look for room and permission there; nothing was left under that name",
        id: "periksa ruang dan izin di sana; tidak ada yang tertinggal dengan nama itu",
    }
    copy_thrown_away {
        en: "the copy was discarded; `chat-server check` reports what is wrong with the database",
        id: "salinannya dibuang; `chat-server check` menyebut apa yang salah dengan database",
    }
    restored(path, messages, users, next, sessions) {
        en: "{path}: {messages}, {users}; new messages are numbered from {next} on; {sessions}",
        id: "{path}: {messages}, {users}; pesan baru bernomor mulai dari {next}; {sessions}",
    }
    sessions_kept { en: "sessions are kept", id: "sesi dipertahankan" }
    sessions_not_kept {
        en: "everybody has to log in again",
        id: "semua orang harus login lagi",
    }
    sound(path, messages, users, newest, schema) {
        en: "{path} is sound: {messages}, {users}, newest id {newest}, schema {schema}",
        id: "{path} utuh: {messages}, {users}, id terbaru {newest}, skema {schema}",
    }
    damaged(path, findings) {
        en: "{path} is damaged: {findings}",
        id: "{path} rusak: {findings}",
    }
    or_more(count) { en: "{count} or more findings", id: "{count} temuan atau lebih" }
    made_anew(parts) { en: "made anew: {parts}", id: "dibuat ulang: {parts}" }
    rebuild_or_restore {
        en: "`check --rebuild` rebuilds indexes and views; for other damage restore the newest backup",
        id: "`check --rebuild` membuat ulang indeks dan view; untuk selebihnya pulihkan backup terbaru",
    }

    // export and import
    checking { en: "checking", id: "memeriksa" }
    rebuilding { en: "rebuilding", id: "membangun ulang" }
    exporting { en: "exporting messages", id: "mengekspor pesan" }
    importing { en: "importing messages", id: "mengimpor pesan" }
    no_user(name) { en: "there is no user {name}", id: "tidak ada user {name}" }
    database_unreadable(path, problem) {
        en: "{path} cannot be read: {problem}",
        id: "{path} tidak bisa dibaca: {problem}",
    }
    export_not_whole {
        en: "the output so far is incomplete; `chat-server check` reports what is wrong",
        id: "hasil sejauh ini belum lengkap; `chat-server check` menyebut apa yang salah",
    }
    exported(messages, users) {
        en: "{messages} and {users} exported",
        id: "{messages} dan {users} diekspor",
    }
    imported(messages, users, there) {
        en: "{messages} and {users} imported; {there} already there",
        id: "{messages} dan {users} diimpor; {there} sudah ada sebelumnya",
    }
    messages_renumbered(messages) {
        en: "{messages} with new ids",
        id: "{messages} mendapat id baru",
    }
    users_without_password(users) {
        en: "{users} still without a password: `chat-server user passwd`",
        id: "{users} belum punya password: `chat-server user passwd`",
    }
    cursors_left(cursors) {
        en: "{cursors} not moved: other messages would count as read",
        id: "{cursors} tidak dipindah: jika dipindah, pesan lain ikut terhitung sudah dibaca",
    }
    no_header(format) { en: "is not the header of a {format}", id: "bukan kepala sebuah {format}" }
    second_header { en: "is a second header", id: "adalah kepala kedua" }
    header_missing(format) {
        en: "is missing: the header of a {format}",
        id: "tidak ada: kepala sebuah {format}",
    }
    give_export {
        en: "a file that `chat-server export` wrote; for plain text give --text",
        id: "beri file yang ditulis `chat-server export`; untuk teks biasa beri --text",
    }
    newer_format(version) {
        en: "is of version {version}, newer than this program knows",
        id: "versinya {version}, lebih baru daripada yang dikenal program ini",
    }
    use_newer_program {
        en: "use the chat-server that made it, or a newer one",
        id: "pakai chat-server yang membuatnya, atau yang lebih baru",
    }
    line_too_long(max) { en: "is longer than {max} bytes", id: "lebih panjang dari {max} byte" }
    line_wrong(file, number, problem) {
        en: "{file}: line {number}: {problem}",
        id: "{file}: baris {number}: {problem}",
    }
    mend_line {
        en: "nothing of this line was imported; correct it and run the command again: existing entries are recognised",
        id: "tidak ada dari baris ini yang diimpor; perbaiki lalu jalankan lagi perintahnya: yang sudah ada akan dikenali",
    }

    // The command line
    option_of_serve(option, command) {
        en: "--{option} is an option of `serve`; it cannot stand before `{command}`",
        id: "--{option} adalah opsi `serve`; tidak bisa ditulis sebelum `{command}`",
    }
    time_too_short {
        en: "give a time above zero",
        id: "beri waktu di atas nol",
    }
    give_level {
        en: "give error, warn, info, debug, trace or off",
        id: "beri error, warn, info, debug, trace, atau off",
    }
    no_level(given, advice) { en: "{given} is no level: {advice}", id: "{given} bukan level: {advice}" }
    give_address {
        en: "give ADDR:PORT, as in 127.0.0.1:8889",
        id: "beri ADDR:PORT, seperti 127.0.0.1:8889",
    }
    no_subnet(given) {
        en: "{given} is no address, with or without a number of bits: 10.0.0.5, 10.0.0.0/8",
        id: "{given} bukan alamat, dengan atau tanpa jumlah bit: 10.0.0.5, 10.0.0.0/8",
    }
    no_port(given) {
        en: "{given} is not a port: give 0 to 65535",
        id: "{given} bukan port: beri 0 sampai 65535",
    }

    // How it ended
    exit_done {
        en: "done; or stopped by SIGTERM or SIGINT: all that was executed is stored",
        id: "selesai; atau dihentikan SIGTERM atau SIGINT: semua yang sudah dijalankan tersimpan",
    }
    exit_nothing {
        en: "there was nothing to do; or the answer to the question was no",
        id: "tidak ada yang perlu dilakukan; atau jawaban pertanyaannya tidak",
    }
    exit_usage { en: "the arguments are not understood", id: "argumennya tidak dipahami" }
    exit_data {
        en: "the file is not a database of this program, is damaged, or is newer; or the name or password is refused",
        id: "filenya bukan database program ini, rusak, atau lebih baru; atau nama atau password ditolak",
    }
    exit_no_input {
        en: "the database is not a file, or in a folder that does not exist",
        id: "database-nya bukan file, atau di folder yang tidak ada",
    }
    exit_no_user { en: "no such user", id: "user tidak ada" }
    exit_unavailable {
        en: "an address cannot be listened on; or no server serves the database",
        id: "sebuah alamat tidak bisa didengarkan; atau tidak ada server yang melayani database",
    }
    exit_internal { en: "a fault of this program", id: "kesalahan program ini" }
    exit_exists {
        en: "a file to be created exists already",
        id: "file yang akan dibuat sudah ada",
    }
    exit_io {
        en: "the database or a file beside it cannot be read or written; or the outcome is unknown",
        id: "database atau file di sebelahnya tidak bisa dibaca atau ditulis; atau hasilnya belum pasti",
    }
    exit_try_again {
        en: "another process has the database, or it is busy; or the server did not answer in time",
        id: "database dipakai proses lain, atau sibuk; atau server tidak menjawab pada waktunya",
    }
    exit_no_permission {
        en: "the server belongs to another user of this machine",
        id: "server itu milik user lain di mesin ini",
    }
    exit_configuration {
        en: "the configuration is wrong or unsafe, or the system does not allow what it asks for",
        id: "konfigurasinya salah atau tidak aman, atau sistem tidak mengizinkan yang dimintanya",
    }
}
