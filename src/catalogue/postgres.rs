//! Databases on PostgreSQL: why a URL is refused, why there is no connection, and what a database
//! does not promise.

texts! {
    // The URL
    no_url { en: "this is not a database URL", id: "ini bukan URL database" }
    give_url {
        en: "give postgres://USER@HOST[:PORT][,HOST…]/DATABASE, or ?host=/FOLDER for a socket",
        id: "beri postgres://USER@HOST[:PORT][,HOST…]/DATABASE, atau ?host=/FOLDER untuk socket",
    }
    password_in_url {
        en: "the database URL has a password, which every user of this machine could see",
        id: "URL database berisi password, yang bisa dilihat semua user di mesin ini",
    }
    where_password {
        en: "put it into a file with mode 600: --db-password-file FILE, PGPASSFILE or ~/.pgpass",
        id: "taruh di file dengan mode 600: --db-password-file FILE, PGPASSFILE, atau ~/.pgpass",
    }
    unverified(mode) {
        en: "sslmode={mode} encrypts, and does not make sure who is at the other end",
        id: "sslmode={mode} mengenkripsi, tetapi tidak memastikan siapa di ujung sana",
    }
    give_verify_full {
        en: "leave sslmode out (verify-full), and name the authority with sslrootcert=FILE",
        id: "hapus sslmode (verify-full), dan sebutkan otoritasnya dengan sslrootcert=FILE",
    }
    no_user { en: "the database URL names no user", id: "URL database tidak menyebut user" }
    no_host { en: "the database URL names no host", id: "URL database tidak menyebut host" }
    too_many_hosts(most) {
        en: "the database URL names more than {most} hosts",
        id: "URL database menyebut lebih dari {most} host",
    }
    bad_escape(text) {
        en: "in the database URL {text} is not escaped as %41 is",
        id: "di URL database, {text} tidak ditulis seperti %41",
    }
    bad_host(host) {
        en: "in the database URL {host} is not a host",
        id: "di URL database, {host} bukan host",
    }
    bad_port(port) {
        en: "in the database URL {port} is not a port",
        id: "di URL database, {port} bukan port",
    }
    port_count(hosts, ports) {
        en: "the database URL names {hosts} hosts and {ports} ports",
        id: "URL database menyebut {hosts} host dan {ports} port",
    }
    unknown_parameter(name) {
        en: "the database URL has an unknown parameter {name}",
        id: "URL database berisi parameter {name} yang tidak dikenal",
    }
    bad_parameter(text) {
        en: "in the database URL {text} has no value, or is there twice",
        id: "di URL database, {text} tidak bernilai, atau ada dua kali",
    }
    known_parameters {
        en: "it can have host, port, user, dbname, sslmode, sslrootcert, connect_timeout, application_name and target_session_attrs",
        id: "yang bisa: host, port, user, dbname, sslmode, sslrootcert, connect_timeout, application_name, dan target_session_attrs",
    }
    bad_value(parameter, value, expected) {
        en: "in the database URL {parameter} cannot be {value}, only: {expected}",
        id: "di URL database, {parameter} tidak bisa {value}, hanya: {expected}",
    }
    exposed(host) {
        en: "passwords and messages would travel to {host} unencrypted",
        id: "password dan pesan akan dikirim ke {host} tanpa enkripsi",
    }
    encrypt {
        en: "set ssl=on there and leave sslmode out; or give --db-allow-plaintext where the network is trusted, with sslmode=disable",
        id: "atur ssl=on di sana dan hapus sslmode; atau beri --db-allow-plaintext jika jaringannya tepercaya, dengan sslmode=disable",
    }

    // The connection
    not_connected(database, problems) {
        en: "cannot connect to {database}: {problems}",
        id: "tidak bisa menyambung ke {database}: {problems}",
    }
    timed_out(seconds) {
        en: "no answer within {seconds} s",
        id: "tidak ada jawaban dalam {seconds} detik",
    }
    no_tls { en: "it does not speak TLS", id: "TLS tidak dilayani di sana" }
    certificate(problem) {
        en: "its certificate is not trusted: {problem}",
        id: "sertifikatnya tidak dipercaya: {problem}",
    }
    no_password {
        en: "it wants a password, and there is none for it",
        id: "password diminta, tetapi tidak ada",
    }
    login(problem) {
        en: "it refuses the login: {problem}",
        id: "login ditolak: {problem}",
    }
    no_database { en: "there is no such database", id: "database itu tidak ada" }
    starting { en: "it is starting or stopping", id: "sedang mulai atau berhenti" }
    too_many_connections { en: "it has no connection left", id: "koneksinya sudah habis" }
    read_only { en: "it is a standby, or read only", id: "ini standby, atau hanya bisa dibaca" }
    password_file_open(path, mode) {
        en: "the password file {path} is open to other users (mode {mode})",
        id: "file password {path} terbuka bagi user lain (mode {mode})",
    }
    password_file_io(path, problem) {
        en: "the password file {path} cannot be read: {problem}",
        id: "file password {path} tidak bisa dibaca: {problem}",
    }
    password_file_content(path, problem) {
        en: "{path} is not a password file: {problem}",
        id: "{path} bukan file password: {problem}",
    }
    not_a_file { en: "it is not a file", id: "ini bukan file" }
    too_large { en: "it is too large", id: "terlalu besar" }
    not_text { en: "it is not text", id: "isinya bukan teks" }
    first_line_empty { en: "its first line is empty", id: "baris pertamanya kosong" }
    no_authority(path, problem) {
        en: "{path} has a certificate that is no authority: {problem}",
        id: "{path} berisi sertifikat yang bukan otoritas: {problem}",
    }
    no_authorities {
        en: "this system trusts no authorities",
        id: "sistem ini tidak mempercayai otoritas mana pun",
    }
    give_authority {
        en: "name the authority of the database's certificate with sslrootcert=FILE in the URL",
        id: "sebutkan otoritas sertifikat database dengan sslrootcert=FILE di URL",
    }
    check_password(path) {
        en: "look at the user of the URL, the password in {path}, and pg_hba.conf there",
        id: "periksa user di URL, password di {path}, dan pg_hba.conf di sana",
    }
    make_database(name) {
        en: "create it there: createdb {name}",
        id: "buat di sana: createdb {name}",
    }
    name_the_primary {
        en: "name the primary too: postgres://USER@HOST1,HOST2/DATABASE",
        id: "sebutkan juga primary-nya: postgres://USER@HOST1,HOST2/DATABASE",
    }
    raise_connections {
        en: "raise max_connections there: each server takes up to six",
        id: "naikkan max_connections di sana: tiap server memakai sampai enam",
    }
    is_it_running {
        en: "does it run, and may this machine connect (listen_addresses, pg_hba.conf)?",
        id: "apakah berjalan, dan bolehkah mesin ini menyambung (listen_addresses, pg_hba.conf)?",
    }
    question_failed(database, problem) {
        en: "{database} cannot be read: {problem}",
        id: "{database} tidak bisa dibaca: {problem}",
    }

    // What a database does not promise
    cannot_promise(database, durability, missing) {
        en: "{database} cannot keep the promise {durability}: {missing}",
        id: "{database} tidak bisa memegang janji {durability}: {missing}",
    }
    too_old(version) {
        en: "it is PostgreSQL {version}, and 15 is the oldest that will do",
        id: "ini PostgreSQL {version}, dan yang paling lama bisa dipakai adalah 15",
    }
    in_recovery { en: "it is a standby", id: "ini standby" }
    fsync_off {
        en: "fsync is off, so a power cut loses messages",
        id: "fsync mati, jadi pesan hilang jika listrik padam",
    }
    full_page_writes_off {
        en: "full_page_writes is off, so a power cut can damage the database",
        id: "full_page_writes mati, jadi database bisa rusak jika listrik padam",
    }
    no_standby {
        en: "synchronous_standby_names is empty, so the newest messages are lost with its machine",
        id: "synchronous_standby_names kosong, jadi pesan terbaru hilang bersama mesinnya",
    }
    synchronous_commit(value) {
        en: "synchronous_commit is {value} in spite of SET",
        id: "synchronous_commit tetap {value} walaupun sudah di-SET",
    }
    set_up_standby {
        en: "set up a synchronous standby (docs/scale-out.md), or say that one disk is enough: --db-durability=local",
        id: "siapkan standby sinkron (docs/scale-out.md), atau nyatakan bahwa satu disk cukup: --db-durability=local",
    }
    sync_or_storage {
        en: "set fsync=on and full_page_writes=on there; or, if the provider replicates its storage, give --db-durability=storage",
        id: "atur fsync=on dan full_page_writes=on di sana; atau, jika penyedianya mereplikasi storage, beri --db-durability=storage",
    }
    use_newer_primary {
        en: "use the primary of PostgreSQL 15 or newer",
        id: "pakai primary dari PostgreSQL 15 atau yang lebih baru",
    }
    promised_standby(names) {
        en: "a message is acknowledged once it is on the disks of the primary and of a standby: {names}",
        id: "pesan dikonfirmasi setelah ada di disk primary dan di disk sebuah standby: {names}",
    }
    promised_local {
        en: "a message is acknowledged once it is on the disk of the primary",
        id: "pesan dikonfirmasi setelah ada di disk primary",
    }
    promised_storage {
        en: "a message is acknowledged once the provider's storage has it, as --db-durability=storage says",
        id: "pesan dikonfirmasi setelah ada di storage penyedia, sesuai --db-durability=storage",
    }
    no_standby_connected {
        en: "no synchronous standby is connected: every write waits for one",
        id: "tidak ada standby sinkron yang tersambung: setiap penulisan menunggunya",
    }
    standbys_unknown {
        en: "unknown, because this user may not see them (GRANT pg_read_all_stats)",
        id: "tidak diketahui, karena user ini tidak boleh melihatnya (GRANT pg_read_all_stats)",
    }
    usable(database, version) {
        en: "{database} is PostgreSQL {version}, and a server can use it",
        id: "{database} adalah PostgreSQL {version}, dan bisa dipakai server",
    }

    // Preparing a database
    prepared(database, schema, server, reader) {
        en: "{database} has schema {schema}; {server} may serve it, and {reader} may read its views",
        id: "{database} berskema {schema}; {server} boleh melayaninya, dan {reader} boleh membaca view-nya",
    }
    new_role(role, database) {
        en: "{role} is new and has no password: set one with \\password {role} in psql {database}",
        id: "{role} baru dan belum punya password: isi dengan \\password {role} di psql {database}",
    }
    grant_standbys(role) {
        en: "{role} does not see which standbys are connected: a superuser can GRANT pg_read_all_stats TO {role}",
        id: "{role} tidak melihat standby mana yang tersambung: superuser bisa GRANT pg_read_all_stats TO {role}",
    }
    check_as_server(database) {
        en: "then: chat-server db check {database}",
        id: "lalu: chat-server db check {database}",
    }
    no_role(name) { en: "{name} is not the name of a role", id: "{name} bukan nama role" }
    give_role {
        en: "give lower-case letters, digits and underscores, at most 63",
        id: "beri huruf kecil, angka, dan garis bawah, paling banyak 63",
    }
    same_roles {
        en: "the owner, the servers and the readers must be three roles",
        id: "pemilik, server, dan pembaca harus tiga role",
    }
    give_different_roles {
        en: "connect as the owner, and give other names: --server-role, --reader-role",
        id: "sambung sebagai pemilik, dan beri nama lain: --server-role, --reader-role",
    }
    not_utf8(database, encoding) {
        en: "{database} stores text as {encoding}, not as UTF8",
        id: "{database} menyimpan teks sebagai {encoding}, bukan UTF8",
    }
    create_as_utf8 {
        en: "create another one: createdb --encoding=UTF8 --template=template0 NAME",
        id: "buat yang lain: createdb --encoding=UTF8 --template=template0 NAMA",
    }
    superuser(role) {
        en: "{role} is a superuser, who could do everything",
        id: "{role} adalah superuser, yang boleh melakukan apa saja",
    }
    give_another_role {
        en: "give another name: --server-role, --reader-role",
        id: "beri nama lain: --server-role, --reader-role",
    }
    not_allowed(user, problem) {
        en: "{user} may not prepare the database: {problem}",
        id: "{user} tidak boleh menyiapkan database itu: {problem}",
    }
    who_may_prepare {
        en: "connect as its owner, who needs CREATEROLE; or let an administrator create both roles first (createuser)",
        id: "sambung sebagai pemiliknya, yang membutuhkan CREATEROLE; atau biarkan administrator membuat kedua role dulu (createuser)",
    }

    // Commands
    not_built_in {
        en: "this program was built without PostgreSQL",
        id: "program ini dibuat tanpa PostgreSQL",
    }
    build_it_in {
        en: "build it with its default features, or give a file: --db chat.sqlite",
        id: "buat dengan fitur bawaannya, atau beri file: --db chat.sqlite",
    }
    only_for_files(command) {
        en: "`{command}` is for a database file, and --db is on PostgreSQL",
        id: "`{command}` hanya untuk file database, sedangkan --db ada di PostgreSQL",
    }
    only_for_postgres(command) {
        en: "`{command}` is for a database on PostgreSQL, and --db is a file",
        id: "`{command}` hanya untuk database di PostgreSQL, sedangkan --db adalah file",
    }
    no_admin_socket {
        en: "`healthcheck` asks the server of this machine, whose admin socket has no place",
        id: "`healthcheck` bertanya ke server di mesin ini, dan letak socket admin-nya tidak diatur",
    }
    give_admin_socket {
        en: "set --admin-socket PATH for the server and for this command",
        id: "atur --admin-socket PATH untuk server dan untuk perintah ini",
    }
    give_database_file {
        en: "give a file: --db chat.sqlite",
        id: "beri file: --db chat.sqlite",
    }
    backup_by_pg_dump {
        en: "`pg_dump -Fc` makes a copy, and `pg_basebackup` one of the whole cluster",
        id: "`pg_dump -Fc` membuat salinannya, dan `pg_basebackup` salinan seluruh cluster",
    }
    restore_by_pg_restore {
        en: "`pg_restore` restores a copy of `pg_dump -Fc` into an empty database",
        id: "`pg_restore` memulihkan salinan `pg_dump -Fc` ke database yang kosong",
    }
    check_by_amcheck {
        en: "`pg_amcheck --heapallindexed` looks for damage, and `chat-server db check` at the settings",
        id: "`pg_amcheck --heapallindexed` mencari kerusakan, dan `chat-server db check` memeriksa pengaturan",
    }
    rebuild_by_reindex {
        en: "`reindexdb` makes all indexes anew",
        id: "`reindexdb` membuat semua indeks dari awal",
    }
    compact_by_vacuum {
        en: "leave --compact out: autovacuum reuses the space, and `VACUUM FULL` gives it back",
        id: "hapus --compact: autovacuum memakai ulang ruangnya, dan `VACUUM FULL` mengembalikannya",
    }
    prepare_by_db_init {
        en: "`chat-server db init` creates the schema, or brings it up to date",
        id: "`chat-server db init` membuat skemanya, atau memperbaruinya",
    }
    export_not_whole {
        en: "the output so far is incomplete: export again; the log of the database says more",
        id: "hasil sejauh ini belum lengkap: ekspor lagi; log database berisi lebih banyak",
    }
    init_by_hand {
        en: "`chat-server db init` prepares a database; write its URL as db into what `config example` prints",
        id: "`chat-server db init` menyiapkan database; tulis URL-nya sebagai db di hasil `config example`",
    }
}
