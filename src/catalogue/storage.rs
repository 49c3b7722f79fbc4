//! Why a database is not opened, copied or made, and why the server refuses what an operator asks.

texts! {
    // The file
    not_a_file_name(given) {
        en: "{given} is not the name of a database file",
        id: "{given} bukan nama file database",
    }
    is_a_folder { en: "is a folder, not a database file", id: "adalah folder, bukan file database" }
    is_a_device {
        en: "is not a file, but a device, a pipe or a socket",
        id: "bukan file, melainkan device, pipe, atau socket",
    }
    is_below_a_file {
        en: "is below a file, and a file is no folder",
        id: "ada di bawah sebuah file, padahal file bukan folder",
    }
    is_a_dead_link {
        en: "is a symbolic link to nothing",
        id: "adalah symbolic link yang tidak menunjuk apa pun",
    }
    is_in_no_folder {
        en: "is in a folder that does not exist",
        id: "ada di folder yang tidak ada",
    }
    does_not_exist { en: "does not exist", id: "tidak ada" }
    is_empty { en: "is empty", id: "kosong" }
    is_reserved {
        en: "is where the server of this database keeps a file of its own",
        id: "adalah tempat server database ini menyimpan file miliknya sendiri",
    }
    is_not_sqlite { en: "is not a SQLite database", id: "bukan database SQLite" }
    is_of_another_program {
        en: "is the database of another program",
        id: "adalah database program lain",
    }
    is_damaged(problem) { en: "is damaged ({problem})", id: "rusak ({problem})" }
    refers_to_nothing {
        en: "it has rows that refer to nothing",
        id: "ada baris yang merujuk ke yang tidak ada",
    }
    foreign_wal(wal, path) {
        en: "{wal} does not belong to {path}: it continues another copy of the database",
        id: "{wal} bukan milik {path}: isinya melanjutkan salinan lain dari database itu",
    }
    orphan_wal(wal, path) {
        en: "{path} is missing or empty, and {wal} has messages of a database",
        id: "{path} tidak ada atau kosong, sedangkan {wal} berisi pesan dari sebuah database",
    }
    changed(path) {
        en: "{path} was written to while it was read",
        id: "{path} ditulis ketika sedang dibaca",
    }
    is_newer(path, version) {
        en: "{path} has schema {version}, which is newer than this program knows",
        id: "skema {path} adalah {version}, lebih baru daripada yang dikenal program ini",
    }
    is_older(path, version) {
        en: "{path} has schema {version}, which is older than today's",
        id: "skema {path} adalah {version}, lebih lama daripada yang sekarang",
    }
    exists(path) { en: "{path} exists already", id: "{path} sudah ada" }
    broken_off(path) {
        en: "{path} was not created: the command was interrupted",
        id: "{path} tidak jadi dibuat: dihentikan di tengah jalan",
    }
    not_upgraded(path, problem) {
        en: "{path} was not upgraded, because it could not be copied: {problem}",
        id: "{path} tidak diperbarui, karena salinannya tidak bisa dibuat: {problem}",
    }
    in_use(path, holder) { en: "{path} is in use by {holder}", id: "{path} sedang dipakai {holder}" }
    another_process { en: "another process", id: "proses lain" }
    cannot_be_opened(path, problem) {
        en: "{path} cannot be opened: {problem}",
        id: "{path} tidak bisa dibuka: {problem}",
    }

    // Why the server stops
    file_gone {
        en: "the database file was renamed or removed while the server was running",
        id: "file database diganti namanya atau dihapus ketika server sedang berjalan",
    }
    wal_cut {
        en: "the WAL of the database was cut while the server was running",
        id: "WAL database dipotong ketika server sedang berjalan",
    }
    not_synced(problem) {
        en: "the file could not be synced: {problem}",
        id: "file tidak bisa disinkronkan ke disk: {problem}",
    }
    writer_panicked { en: "the writer panicked", id: "penulis database panik" }

    // What the running server refuses
    refused_because(refusal, message) { en: "{refusal} ({message})", id: "{refusal} ({message})" }
    unknown_user { en: "there is no such user", id: "user itu tidak ada" }
    user_deleted { en: "the user is deleted", id: "user itu sudah dihapus" }
    unknown_message { en: "there is no such message", id: "pesan itu tidak ada" }
    unknown_session { en: "there is no such session", id: "sesi itu tidak ada" }
    unknown_token { en: "there is no such access token", id: "token akses itu tidak ada" }
    too_many_tokens_of_user {
        en: "the user has too many access tokens",
        id: "user itu punya terlalu banyak token akses",
    }
    no_such_invitation {
        en: "there is no such open invitation",
        id: "tidak ada undangan terbuka seperti itu",
    }
    too_many_invitations {
        en: "there are too many open invitations",
        id: "undangan yang terbuka terlalu banyak",
    }
    unsafe_now {
        en: "it would let in users whom the configuration excludes",
        id: "ini akan membuka jalan bagi orang yang dicegah oleh konfigurasi",
    }
    name_is_taken { en: "the name is taken", id: "nama itu sudah dipakai" }
    other_version {
        en: "the command and the server are of different versions",
        id: "versi perintah dan server berbeda",
    }
    not_understood { en: "the request is not understood", id: "permintaannya tidak dipahami" }
    line_too_long { en: "the request is too long", id: "permintaannya terlalu panjang" }
    busy { en: "too much is waiting", id: "terlalu banyak yang menunggu" }
    storage_full { en: "the disk is full", id: "disk penuh" }
    shutting_down { en: "the server is stopping", id: "server sedang berhenti" }
    internal { en: "the server failed", id: "server gagal" }
}
