//! The `--help` of `chat-server`. The English help of an option is at its definition
//! (`operate::arguments`). Here is the Indonesian, and the longer texts in both languages.

use super::shared_help::Help;

/// The help of commands and options: English and Indonesian. The English is as in `clap`: one
/// paragraph without its final full stop.
pub const HELP: &Help = &[
    // The program
    (
        "A persistent multi-user messaging server: what it has acknowledged is on the disk",
        "Server pesan multi-user yang persisten: yang sudah dikonfirmasi pasti ada di disk",
    ),
    // For every command
    (
        "The database: a file, or postgres://USER@HOST/DATABASE; `init`, `serve`, `user add`, `seed` and `import` create a file that does not exist",
        "Database: sebuah file, atau postgres://USER@HOST/DATABASE; `init`, `serve`, `user add`, `seed`, dan `import` membuat file yang belum ada",
    ),
    (
        "For postgres://: the first line of this file is the password. Other users must not be able to read it",
        "Untuk postgres://: baris pertama file ini adalah password-nya. User lain tidak boleh bisa membacanya",
    ),
    (
        "For postgres://: where a message must be before it is acknowledged: standby, local or storage",
        "Untuk postgres://: di mana pesan harus ada sebelum dikonfirmasi: standby, local, atau storage",
    ),
    (
        "On the primary's disk and on that of a synchronous standby",
        "Di disk primary dan di disk sebuah standby sinkron",
    ),
    ("On the primary's disk", "Di disk primary"),
    (
        "Where the provider of the database replicates it; PostgreSQL's settings do not count",
        "Di tempat penyedia database mereplikasinya; pengaturan PostgreSQL tidak dihitung",
    ),
    (
        "For postgres://: how long a request may wait for a new primary",
        "Untuk postgres://: berapa lama permintaan boleh menunggu primary yang baru",
    ),
    (
        "For postgres://: the socket at which a server answers operators' commands of this machine; without it they connect to the database",
        "Untuk postgres://: socket tempat server menjawab perintah operator di mesin ini; tanpanya, perintah tersambung langsung ke database",
    ),
    (
        "For postgres://: how often a server looks whether the database still holds --db-durability",
        "Untuk postgres://: seberapa sering server memeriksa apakah database masih memenuhi --db-durability",
    ),
    (
        "For postgres://: connect to other machines without encryption, if the URL says sslmode=disable",
        "Untuk postgres://: sambung ke mesin lain tanpa enkripsi, jika URL berisi sslmode=disable",
    ),
    ("Prepare and check a database on PostgreSQL", "Siapkan dan periksa database di PostgreSQL"),
    (
        "Create the schema and the roles in a database, or bring them up to date",
        "Buat skema dan role di sebuah database, atau perbarui",
    ),
    (
        "postgres://OWNER@HOST/DATABASE, instead of --db; the schema will belong to this user",
        "postgres://PEMILIK@HOST/DATABASE, sebagai ganti --db; skemanya akan menjadi milik user ini",
    ),
    (
        "The role of the servers and of operators' commands; created if it does not exist",
        "Role untuk server dan perintah operator; dibuat jika belum ada",
    ),
    (
        "The role of people and programs that read the views; created if it does not exist",
        "Role untuk orang dan program yang membaca view; dibuat jika belum ada",
    ),
    (
        "Find out whether a server could use the database, and what it would promise",
        "Cari tahu apakah server bisa memakai database itu, dan apa yang dijanjikannya",
    ),
    (
        "postgres://USER@HOST/DATABASE, instead of --db",
        "postgres://USER@HOST/DATABASE, sebagai ganti --db",
    ),
    (
        "The configuration file [default: /etc/chat/server.toml, if there is one]",
        "File konfigurasi [bawaan: /etc/chat/server.toml, jika ada]",
    ),
    (
        "Print one JSON object a line; errors too, on standard error",
        "Cetak satu objek JSON per baris; kesalahan juga, di standard error",
    ),
    // Commands
    (
        "Serve the database until SIGTERM or SIGINT; the default without a command",
        "Layani database sampai SIGTERM atau SIGINT; ini bawaannya tanpa perintah",
    ),
    (
        "Add, list and change users, also while the server runs",
        "Tambah, daftar, dan ubah user, juga saat server berjalan",
    ),
    (
        "List and end sessions, also while the server runs",
        "Daftar dan akhiri sesi, juga saat server berjalan",
    ),
    (
        "Add several users at once: from a file, or the five users of the seed",
        "Tambah beberapa user sekaligus: dari sebuah file, atau lima user bawaan (seed)",
    ),
    (
        "Show the figures of the database and of the server",
        "Tampilkan angka-angka database dan server",
    ),
    (
        "Report by the exit code whether a server serves the database, and can write and read it",
        "Beri tahu lewat kode keluar apakah ada server yang melayani database, serta bisa menulis dan membacanya",
    ),
    (
        "Delete and purge messages, also while the server runs",
        "Hapus dan buang pesan, juga saat server berjalan",
    ),
    (
        "Make a complete, verified copy of the database, also while the server runs",
        "Buat salinan database yang utuh dan sudah diperiksa, juga saat server berjalan",
    ),
    (
        "Create the database from a backup, if there is none",
        "Buat database dari sebuah backup, di tempat yang masih kosong",
    ),
    (
        "Export the database, or one user's data, as lines of JSON to standard output",
        "Tulis seluruh isi database, atau milik satu user, sebagai baris JSON ke keluaran standar",
    ),
    (
        "Import the output of `export`, or plain text with one message a line; also while the server runs",
        "Masukkan yang ditulis `export`, atau teks biasa, satu pesan per baris; juga saat server berjalan",
    ),
    (
        "Check whether the database is sound, also while the server runs",
        "Periksa apakah database-nya utuh, juga saat server berjalan",
    ),
    ("Show and check the server's settings", "Tampilkan dan periksa pengaturan server"),
    // serve
    (
        "Where to listen: ADDR:PORT, tls:ADDR:PORT or unix:PATH; can be given several times. Port 0 lets the system choose",
        "Alamat yang didengarkan: ADDR:PORT, tls:ADDR:PORT atau unix:PATH; bisa diberikan beberapa kali. Port 0 berarti sistem yang memilih",
    ),
    (
        "The certificate for TLS addresses (PEM: the server's own first, then those that lead to an authority). SIGHUP reads it again",
        "Sertifikat yang ditunjukkan di tempat TLS dipakai (PEM, miliknya sendiri dulu, lalu yang menuju ke otoritas). SIGHUP membacanya lagi",
    ),
    (
        "The key of the certificate (PEM). Other users must not be able to read it",
        "Kunci sertifikat itu (PEM), yang tidak boleh dibaca orang lain",
    ),
    (
        "The mode of the socket at unix:PATH, as for chmod: it decides who may connect",
        "Mode socket di unix:PATH, seperti untuk chmod: ini menentukan siapa yang boleh menyambung",
    ),
    (
        "Over unix:PATH, log in system users as the users of the same name, without a password; root only by --unix-user-map",
        "Lewat unix:PATH, masukkan user sistem sebagai user bernama sama, tanpa password; root hanya lewat --unix-user-map",
    ),
    (
        "Over unix:PATH, log in this system user as this user, without a password: alice=ada, or \"uid 1001=ci\"; can be given several times",
        "Lewat unix:PATH, masukkan user sistem ini sebagai user ini, tanpa password: alice=ada, atau \"uid 1001=ci\"; bisa diberikan beberapa kali",
    ),
    (
        "Write the bound addresses to this file, one a line, once connections are accepted",
        "Tulis alamat yang dipakai ke file ini, satu per baris, begitu koneksi diterima",
    ),
    (
        "The format of the server log on standard error: text or json",
        "Cara log ditulis di standard error",
    ),
    ("Lines for people", "Baris untuk dibaca orang"),
    ("One JSON object a line", "Satu objek JSON per baris"),
    (
        "The level of the server log: error, warn, info, debug or trace",
        "Yang dicatat di log: error, warn, info, debug, atau trace",
    ),
    (
        "Do not add the five users of the seed to a new database",
        "Jangan isi database baru dengan lima user bawaan (seed)",
    ),
    (
        "Listen beyond this machine even if users still have the published password",
        "Terima dari luar mesin ini walaupun masih ada user dengan password yang sudah diketahui umum",
    ),
    (
        "Listen beyond this machine without encryption of passwords and messages",
        "Terima dari luar mesin ini walaupun password dan pesan dikirim tanpa enkripsi",
    ),
    ("A session ends after this time without use", "Sesi yang tidak dipakai selama ini berakhir"),
    ("A session ends this long after its login", "Sesi berakhir sekian lama setelah login"),
    ("The most connections at a time", "Jumlah koneksi paling banyak pada satu saat"),
    (
        "The most connections at a time from one address; connections of this machine are not limited",
        "Jumlah koneksi paling banyak dari satu alamat; dari mesin ini sendiri tidak dibatasi",
    ),
    (
        "A proxy whose connections begin with a PROXY header with the client's address; can be given several times",
        "Proxy yang koneksinya diawali header PROXY, yang memberi tahu siapa yang menyambung; boleh ditulis beberapa kali",
    ),
    (
        "The most failed logins of one user from one address in a minute; further ones are refused",
        "Jumlah login gagal paling banyak satu pengguna dari satu alamat dalam satu menit; selebihnya ditolak",
    ),
    (
        "The most failed logins of one user from all addresses in a minute. At addresses where that user has logged in before, and on this machine, only failures from there count",
        "Jumlah login gagal paling banyak satu pengguna dari mana pun dalam satu menit; dari tempat pengguna itu pernah login, dan di mesin ini, hanya yang dari sana yang dihitung",
    ),
    (
        "The most unread messages of one inbox; beyond it senders are refused",
        "Jumlah pesan belum dibaca paling banyak di satu inbox; lebih dari itu pengirim ditolak",
    ),
    (
        "Refuse the verb `users`. Clients can still list the logged-in users",
        "Tolak `users`: tidak ada yang diberi tahu siapa saja yang ada. Siapa yang sedang login tetap terlihat",
    ),
    (
        "A stream without other events gets a heartbeat after this time",
        "Setelah berapa lama tanpa apa-apa koneksi yang memantau dikirimi tanda hidup",
    ),
    (
        "Threads that serve the connections; by default half as many as processors",
        "Thread yang membagi koneksi; separuh jumlah prosesor jika tidak diberikan",
    ),
    // What is told of how it does
    (
        "Where to serve HTTP for users: ADDR:PORT or tls:ADDR:PORT; can be given several times",
        "Alamat HTTP untuk user: ALAMAT:PORT atau tls:ALAMAT:PORT; bisa diberikan beberapa kali",
    ),
    (
        "A host name for requests to --http, beside localhost and those of the certificate; can be given several times",
        "Nama yang dipakai untuk menghubungi --http, selain localhost dan nama di sertifikat; bisa diberikan beberapa kali",
    ),
    (
        "A site whose pages may use --http by tokens (CORS), as https://a.example; can be given several times",
        "Situs yang halamannya boleh memakai --http dengan token (CORS), misalnya https://a.example; bisa diberikan beberapa kali",
    ),
    (
        "Serve metrics and the status page over HTTP at this address",
        "Beri tahu Prometheus dan browser keadaan server, lewat HTTP di alamat ini",
    ),
    (
        "A host name for requests to --metrics, beside localhost; can be given several times",
        "Nama yang dipakai untuk menghubungi --metrics, selain localhost; bisa diberikan beberapa kali",
    ),
    (
        "Let other machines read --metrics, without authentication",
        "Izinkan --metrics dibaca dari mesin lain, oleh siapa pun yang bisa mencapai alamatnya",
    ),
    (
        "Log requests that take at least this long",
        "Catat di log permintaan yang memakan waktu sekian atau lebih",
    ),
    // init
    (
        "Begin: write a configuration and create a database with a first user; asks for missing values",
        "Mulai: tulis konfigurasi, dan buat database dengan user pertama; yang tidak diberikan ditanyakan",
    ),
    ("The name of the first user", "Nama user pertama"),
    (
        "Read the first user's password from the first line of this file; without it, ask for it, or read the first line of standard input",
        "Baca password user pertama dari baris pertama file ini; tanpa file, password ditanyakan, atau dibaca dari baris pertama standard input",
    ),
    ("Replace an existing configuration file", "Ganti file konfigurasi yang sudah ada"),
    // user
    (
        "Add a user; asks for the password, or reads the first line of standard input",
        "Tambah user; password ditanyakan, atau baris pertama standard input",
    ),
    ("Show every user", "Tampilkan semua user"),
    (
        "Show a user's details: sessions, messages, cursors",
        "Tampilkan semua tentang seorang user: sesi, pesan, kursor",
    ),
    (
        "Set a user's password and end all sessions; the password comes as for `add`",
        "Ganti password user dan akhiri semua sesinya; ditanyakan seperti pada `add`",
    ),
    (
        "End a user's sessions and refuse new ones; messages to the user wait",
        "Akhiri semua sesi user dan cegah yang baru; pesan untuknya menunggu",
    ),
    ("Let a user log in again", "Izinkan user login lagi"),
    (
        "Rename a user; messages, cursors and sessions stay",
        "Ganti nama user; pesan, kursor, dan sesi tetap",
    ),
    (
        "Delete a user; without --purge the messages stay, and the name is not free",
        "Hapus user; pesannya tetap ada dan namanya tidak bisa dipakai lagi, kecuali dengan --purge",
    ),
    ("The name of the user", "Nama user"),
    (
        "The name to log in with: 1 to 32 of a-z, 0-9, _ and -",
        "Nama untuk login: 1 sampai 32 dari a-z, 0-9, _ dan -",
    ),
    (
        "The name for people; by default the user's name",
        "Nama panggilannya; jika tidak disebut, sama dengan nama user",
    ),
    (
        "Generate a strong password, and print it once",
        "Buat password yang kuat, dan cetak, sekali ini saja",
    ),
    ("The current name; it becomes free", "Nama yang sekarang; setelah itu bebas dipakai"),
    ("The new name", "Nama yang baru"),
    ("Do not ask", "Jangan bertanya"),
    (
        "Also remove all messages from and to the user, and free the name",
        "Buang juga semua pesan dari dan untuk user itu, dan bebaskan namanya",
    ),
    // token
    (
        "Make, list and revoke access tokens, also while the server runs",
        "Buat, tampilkan, dan cabut token akses, juga selagi server berjalan",
    ),
    ("Make an access token, and print it once", "Buat token akses, dan tampilkan satu kali"),
    (
        "Show the access tokens: rights, end and last use",
        "Tampilkan token akses: hak, akhir, dan pemakaian terakhir",
    ),
    ("Revoke access tokens: they are valid no longer", "Cabut token akses: tidak berlaku lagi"),
    (
        "A name for the token: at most 32 of a-z, 0-9 and `._-`",
        "Nama token: paling banyak 32 dari a-z, 0-9, dan `._-`",
    ),
    (
        "The user for whom a program with the token acts",
        "User yang diwakili program dengan token itu",
    ),
    (
        "What a program with the token may do. `all` does not include the password, sessions and tokens",
        "Apa yang boleh dilakukan program dengan token itu. `all` tidak termasuk password, sesi, dan token",
    ),
    (
        "Send only to these users and rooms: neko,'#build'. A hook has one",
        "Hanya kirim ke user dan ruang ini: neko,'#build'. Hook punya satu",
    ),
    (
        "When it expires: 90d, 12h. Without it, it does not",
        "Kapan kedaluwarsa: 90d, 12h. Tanpa ini, tidak pernah",
    ),
    // invite
    (
        "Invite a person: print a link that makes an account, once, also while the server runs",
        "Undang seseorang: tampilkan tautan yang membuat akun, satu kali, juga selagi server berjalan",
    ),
    (
        "Show the open invitations, and those that were used of late",
        "Tampilkan undangan yang terbuka, dan yang baru-baru ini dipakai",
    ),
    (
        "Revoke open invitations: their links work no longer",
        "Cabut undangan yang terbuka: tautannya tidak berlaku lagi",
    ),
    (
        "The name of the account; without it the person chooses one",
        "Nama akunnya; kalau kosong, orang itu yang memilih",
    ),
    (
        "The rooms that the account joins: '#build,#ops'; a # may be left out",
        "Ruang yang diikuti akun itu: '#build,#ops'; # boleh tidak ditulis",
    ),
    ("When the link expires: 3d, 12h", "Kapan tautannya kedaluwarsa: 3d, 12h"),
    (
        "Where people open the page; without it the address of --http, with the name of --http-host",
        "Di mana orang membuka halamannya; kalau kosong, alamat --http, dengan nama dari --http-host",
    ),
    ("The invitation with this number", "Undangan dengan nomor ini"),
    ("All open invitations", "Semua undangan yang terbuka"),
    ("Only this user's tokens", "Hanya token user ini"),
    ("The token of this name", "Token dengan nama ini"),
    ("The user of the token", "User pemilik token"),
    ("All tokens of the user", "Semua token user itu"),
    (
        "A program without a password: it uses access tokens, which `token create` makes",
        "Program tanpa password: ia memakai token akses, yang dibuat oleh `token create`",
    ),
    // session
    ("Show the sessions that have not ended", "Tampilkan sesi yang belum berakhir"),
    (
        "End sessions; their clients get the reason with the next request",
        "Akhiri sesi; kliennya menerima alasannya pada permintaan berikutnya",
    ),
    ("Only this user's sessions", "Hanya sesi user ini"),
    ("The session with this number", "Sesi bernomor ini"),
    ("All sessions of this user", "Semua sesi user ini"),
    ("All sessions of all users", "Semua sesi dari semua user"),
    // seed, healthcheck
    (
        "A JSON file with users, in the format of seed/users.json; `-` for standard input",
        "File JSON berisi user, bentuknya seperti seed/users.json; `-` berarti standard input",
    ),
    ("The time limit", "Batas waktunya"),
    // message
    (
        "Delete a message as its author can: nobody finds it any more",
        "Hapus sebuah pesan, seperti penulisnya bisa: tidak ada yang menemukannya lagi",
    ),
    (
        "The message. Its text is in the file until `message purge --deleted`",
        "Pesannya. Teksnya ada di file sampai `message purge --deleted`",
    ),
    (
        "Messages that were deleted with `delete`: their texts are in the file until then",
        "Pesan yang dihapus dengan `delete`: teksnya ada di file sampai saat itu",
    ),
    (
        "Delete messages for good: those that match every given condition",
        "Hapus pesan untuk selamanya: yang memenuhi semua syarat yang diberikan",
    ),
    ("Messages older than this", "Pesan yang lebih lama dari ini"),
    ("Messages with an id below this one", "Pesan dengan id di bawah ini"),
    ("Messages from or to this user", "Pesan dari atau untuk user ini"),
    ("Only messages from the user", "Hanya pesan dari user itu"),
    ("Only messages to the user", "Hanya pesan untuk user itu"),
    (
        "Also messages that a reader has not read, or that wait at a cursor",
        "Juga pesan yang belum dibaca, atau yang menunggu di sebuah kursor",
    ),
    (
        "Rewrite the file afterwards: this removes all traces and frees the space; no client can send meanwhile. A file of up to 16 MiB is always compacted",
        "Tulis ulang file sesudahnya: semua sisanya hilang, dan ruangnya dikembalikan; sementara itu tidak ada klien yang bisa mengirim. File sampai 16 MiB selalu dipadatkan",
    ),
    ("Only count the messages", "Hanya hitung pesannya"),
    // backup, restore, check
    (
        "The file to create; or a folder, where the database and the time give its name",
        "File yang dibuat; atau folder, di dalamnya dinamai menurut database dan waktunya",
    ),
    (
        "Repeat the backup at this interval, until SIGTERM or SIGINT",
        "Ulangi backup setiap sekian lama, sampai SIGTERM atau SIGINT",
    ),
    (
        "After each backup keep only this many in the folder, and remove the oldest; other files stay",
        "Setiap kali selesai, sisakan sekian backup di folder dan hapus yang terlama; file lain tetap ada",
    ),
    ("The file from `backup`", "File dari `backup`"),
    (
        "Keep the sessions of the backup, with their tokens",
        "Pertahankan sesi dari backup, dengan token-tokennya",
    ),
    (
        "Do not compare the indexes with the tables, and do not check each message",
        "Jangan bandingkan indeks dengan tabel, dan jangan lihat setiap pesan",
    ),
    (
        "First rebuild what follows from the tables: indexes, views, and the lowest unused id. No client can send while an index is rebuilt",
        "Lebih dulu buat ulang yang diturunkan dari tabel: indeks, view, dan id terendah yang belum dipakai. Selama indeks dibuat ulang tidak ada klien yang bisa mengirim",
    ),
    // export, import
    (
        "Only messages from and to this user, and the users in them",
        "Hanya pesan dari dan untuk user ini, dan user-user di dalamnya",
    ),
    ("Only messages from this id on", "Hanya pesan mulai dari id ini"),
    (
        "Include the password hashes; a reader of the file can then try to guess the passwords",
        "Sertakan hash password; pembaca file itu bisa mencoba menebak password-nya",
    ),
    (
        "The output of `export`, or plain text; `-` is standard input",
        "Yang ditulis `export`, atau teks biasa; `-` adalah masukan standar",
    ),
    (
        "The file is plain text; each non-empty line is a message",
        "File itu teks biasa: setiap baris yang tidak kosong adalah satu pesan",
    ),
    ("The sender of the messages", "Pengirim pesan-pesannya"),
    ("The recipient of the messages", "Penerima pesan-pesannya"),
    // config
    (
        "Find errors in the configuration, without touching the database",
        "Cari yang salah di konfigurasi, tanpa menyentuh database",
    ),
    (
        "Print a configuration file that explains every setting",
        "Cetak file konfigurasi yang menjelaskan semua pengaturan",
    ),
    (
        "Show every setting, its value and its source",
        "Tampilkan semua pengaturan, nilainya, dan asalnya",
    ),
    (
        "The file to check, instead of the default one",
        "File yang diperiksa, bukan yang akan dibaca",
    ),
    // room
    (
        "Add, list and change rooms and their members, also while the server runs",
        "Tambah, tampilkan, dan ubah ruang serta anggotanya, juga saat server berjalan",
    ),
    ("Show every room, private ones too", "Tampilkan semua ruang, juga yang privat"),
    ("Show a room's settings", "Tampilkan pengaturan sebuah ruang"),
    ("Create a room without members", "Buat ruang tanpa anggota"),
    (
        "Make #all, the room of everybody: new users are in it, too, and `send @all` posts there",
        "Buat #all, ruang semua orang: user baru juga masuk, dan `send @all` menulis di sana",
    ),
    ("Show the members of a room", "Tampilkan anggota sebuah ruang"),
    (
        "Make a user a member of a room, or give a member another role",
        "Jadikan user anggota sebuah ruang, atau beri anggota peran lain",
    ),
    (
        "Remove a member from a room, or an invitation",
        "Keluarkan anggota dari sebuah ruang, atau batalkan undangan",
    ),
    ("Change a room's settings", "Ubah pengaturan sebuah ruang"),
    (
        "Archive a room: its members read it, and nobody posts there any more",
        "Arsipkan sebuah ruang: anggotanya bisa membaca, dan tidak ada yang bisa menulis lagi",
    ),
    ("The room; its # may be left out", "Ruangnya; # di depannya boleh dihilangkan"),
    (
        "The name: 1 to 32 of a-z, 0-9, _ and -, with or without a # before it",
        "Namanya: 1 sampai 32 dari a-z, 0-9, _ dan -, dengan atau tanpa # di depannya",
    ),
    (
        "What it is about: one line of at most 256 bytes",
        "Tentang apa: satu baris paling banyak 256 byte",
    ),
    (
        "Only its members and invited users see it",
        "Hanya anggotanya dan user yang diundang yang melihatnya",
    ),
    (
        "Who may post: all members, or only moderators and owners",
        "Siapa yang boleh menulis: semua anggota, atau hanya moderator dan pemilik",
    ),
    (
        "What a new member can read: all messages, or those from joining on",
        "Yang bisa dibaca anggota baru: semua pesan, atau yang sejak ia masuk",
    ),
    ("The role of the member", "Peran anggota itu"),
    ("What it is about; '' for nothing", "Tentang apa; '' untuk mengosongkan"),
    ("Anybody can see and join it", "Siapa saja bisa melihat dan memasukinya"),
    ("Open it again", "Buka lagi"),
];

texts! {
    examples {
        en: "\
Examples:
  chat-server init                                begin: asks, writes a configuration, adds a user
  chat-server --db chat.sqlite                    serve this machine on port 8889
  chat-server --db chat.sqlite --listen 127.0.0.1:0 --ready-file /run/chat.addr
  chat-server --listen 127.0.0.1:8889 --listen tls:0.0.0.0:8890 \\
      --tls-cert server.crt --tls-key server.key  other machines too, with TLS
  chat-server --db chat.sqlite user add alice     add a user, also while it runs
  sqlite3 chat.sqlite 'select * from v1_messages' look into it while it runs
",
        id: "\
Contoh:
  chat-server init                                mulai: bertanya, menulis konfigurasi, menambah user
  chat-server --db chat.sqlite                    layani mesin ini di port 8889
  chat-server --db chat.sqlite --listen 127.0.0.1:0 --ready-file /run/chat.addr
  chat-server --listen 127.0.0.1:8889 --listen tls:0.0.0.0:8890 \\
      --tls-cert server.crt --tls-key server.key  mesin lain juga, dengan TLS
  chat-server --db chat.sqlite user add alice     tambah user, juga saat berjalan
  sqlite3 chat.sqlite 'select * from v1_messages' lihat isinya saat berjalan
",
    }
    init_examples {
        en: "\
A refusal creates and changes no file. Only --force overwrites a configuration, and nothing
overwrites a database.

Examples:
  chat-server init                              asks, then says how to start the server and log in
  chat-server init --config server.toml --db /srv/chat.sqlite --user alice < password
  chat-server init --user alice --generate --listen tls:0.0.0.0:8890 \\
      --tls-cert server.crt --tls-key server.key
",
        id: "\
Jika ditolak, tidak ada yang tertinggal: tidak ada file yang dibuat atau diubah. Tidak ada yang
ditimpa: konfigurasi hanya dengan --force, database tidak pernah.

Contoh:
  chat-server init                              bertanya, lalu menunjukkan cara menjalankan dan login
  chat-server init --config server.toml --db /srv/chat.sqlite --user alice < password
  chat-server init --user alice --generate --listen tls:0.0.0.0:8890 \\
      --tls-cert server.crt --tls-key server.key
",
    }
    config_show_examples {
        en: "\
Examples:
  chat-server config show                       the settings of a server that starts like this
  chat-server --config new.toml config show
  chat-server config show --json | jq -r 'select(.source != \"default\").key'
",
        id: "\
Contoh:
  chat-server config show                       yang akan dilakukan server dengan pengaturan ini
  chat-server --config new.toml config show
  chat-server config show --json | jq -r 'select(.source != \"default\").key'
",
    }
    config_check_examples {
        en: "\
Examples:
  chat-server config check new.toml && mv new.toml /etc/chat/server.toml
",
        id: "\
Contoh:
  chat-server config check new.toml && mv new.toml /etc/chat/server.toml
",
    }
    layers {
        en: "\
Settings come from the command line, else from the environment (CHAT_SERVER_*), else from the
configuration file (--config, CHAT_SERVER_CONFIG, else /etc/chat/server.toml if there is one), else
they are the defaults. `config show` shows the source; `config example` prints an example file.
",
        id: "\
Pengaturan diambil dari baris perintah, lalu environment (CHAT_SERVER_*), lalu file konfigurasi
(--config, CHAT_SERVER_CONFIG, atau /etc/chat/server.toml jika ada), lalu nilai bawaan.
`config show` menyebut asalnya; `config example` mencetak file untuk memulai.
",
    }
    user_add_examples {
        en: "\
Examples:
  chat-server user add alice --display-name 'Alice A.'    asks for the password, twice
  chat-server user add build --generate                   prints a generated password
  pass show chat/alice | chat-server user add alice       from a password store
",
        id: "\
Contoh:
  chat-server user add alice --display-name 'Alice A.'    password ditanyakan, dua kali
  chat-server user add build --generate                   mencetak password buatannya
  pass show chat/alice | chat-server user add alice       dari penyimpan password
",
    }
    user_list_examples {
        en: "\
Examples:
  chat-server --db chat.sqlite user list
  chat-server user list --json | jq -r 'select(.password_is_published).name'
",
        id: "\
Contoh:
  chat-server --db chat.sqlite user list
  chat-server user list --json | jq -r 'select(.password_is_published).name'
",
    }
    room_examples {
        en: "\
An operator sees private rooms too, and may change every room. For other users their role in the
room decides: see `chat-cli room --help`.

Examples:
  chat-server room create build --topic 'Builds of the main branch'
  chat-server room add build alice --role owner
  chat-server room members build
  chat-server room remove build bob
  chat-server room set news --posting moderators --public
  chat-server room list --json | jq -r 'select(.members == 0) | .room'
  chat-server room archive build                  nobody posts there any more
  chat-server room everybody                      once, for `chat-cli send @all TEXT`
  chat-server room add all alice --role moderator   she may send to @all
",
        id: "\
Operator juga melihat ruang privat, dan boleh mengubah setiap ruang. Siapa lagi yang boleh menulis,
mengundang, dan mengeluarkan anggota, ada di `chat-cli room --help`.

Contoh:
  chat-server room create build --topic 'Build dari cabang utama'
  chat-server room add build alice --role owner
  chat-server room members build
  chat-server room remove build bob
  chat-server room set news --posting moderators --public
  chat-server room list --json | jq -r 'select(.members == 0) | .room'
  chat-server room archive build                  tidak ada yang menulis di sana lagi
  chat-server room everybody                      sekali, untuk `chat-cli send @all TEKS`
  chat-server room add all alice --role moderator   ia boleh mengirim ke @all
",
    }
    user_show_examples {
        en: "\
Examples:
  chat-server user show alice
  chat-server user show alice --json | jq '.cursors[] | {name, upto}'
",
        id: "\
Contoh:
  chat-server user show alice
  chat-server user show alice --json | jq '.cursors[] | {name, upto}'
",
    }
    user_passwd_examples {
        en: "\
Examples:
  chat-server user passwd alice                  asks for the password, twice
  chat-server user passwd alice --generate       prints a generated password
",
        id: "\
Contoh:
  chat-server user passwd alice                  password ditanyakan, dua kali
  chat-server user passwd alice --generate       mencetak password buatannya
",
    }
    user_disable_examples {
        en: "\
Examples:
  chat-server user disable alice     ends her sessions; messages to her wait
  chat-server user enable alice      she can log in again, with the password she had
",
        id: "\
Contoh:
  chat-server user disable alice     sesinya diakhiri; pesan untuknya menunggu
  chat-server user enable alice      bisa login lagi, dengan password yang dulu
",
    }
    user_rename_examples {
        en: "\
Examples:
  chat-server user rename alice alice-b
",
        id: "\
Contoh:
  chat-server user rename alice alice-b
",
    }
    user_delete_examples {
        en: "\
Examples:
  chat-server user delete alice            asks first
  chat-server user delete alice --yes      for scripts
  chat-server user delete alice --purge    removes all messages from and to her, and frees the name
",
        id: "\
Contoh:
  chat-server user delete alice            bertanya dulu
  chat-server user delete alice --yes      untuk skrip
  chat-server user delete alice --purge    semua pesan dari dan untuknya dibuang, namanya bebas lagi
",
    }
    session_list_examples {
        en: "\
Examples:
  chat-server session list
  chat-server session list --user alice --json | jq .id
",
        id: "\
Contoh:
  chat-server session list
  chat-server session list --user alice --json | jq .id
",
    }
    token_create_examples {
        en: "\
Examples:
  chat-server user add ci --bot
  chat-server token create --user ci --to neko,'#build' --expires 90d github
  chat-server token list --user ci
  chat-server token revoke --user ci github
",
        id: "\
Contoh:
  chat-server user add ci --bot
  chat-server token create --user ci --to neko,'#build' --expires 90d github
  chat-server token list --user ci
  chat-server token revoke --user ci github
",
    }
    invite_examples {
        en: "\
Examples:
  chat-server invite                        the person chooses the name
  chat-server invite --name mia --rooms '#build,#ops' --expires 12h
  chat-server invite --url https://chat.example --json
  chat-server invite list
  chat-server invite revoke 7

Prints the link alone on its line; on a terminal also as a QR code. It is not shown again.
",
        id: "\
Contoh:
  chat-server invite                        orang itu yang memilih namanya
  chat-server invite --name mia --rooms '#build,#ops' --expires 12h
  chat-server invite --url https://chat.example --json
  chat-server invite list
  chat-server invite revoke 7

Menampilkan tautannya saja di satu baris; di terminal juga sebagai kode QR. Tidak ditampilkan lagi.
",
    }
    session_revoke_examples {
        en: "\
Examples:
  chat-server session revoke 17
  chat-server session revoke --user alice
  chat-server session revoke --all
",
        id: "\
Contoh:
  chat-server session revoke 17
  chat-server session revoke --user alice
  chat-server session revoke --all
",
    }
    seed_examples {
        en: "\
Adds no user if one of the names is taken.

Examples:
  chat-server seed                  paff, neko, robo, ivy, vanessa; their password is public
  chat-server seed team.json        [{\"name\": \"alice\", \"display_name\": \"Alice\", \"password\": \"...\"}]
",
        id: "\
Tidak ada yang ditambahkan jika salah satu nama sudah dipakai.

Contoh:
  chat-server seed                  paff, neko, robo, ivy, vanessa; password-nya diketahui umum
  chat-server seed team.json        [{\"name\": \"alice\", \"display_name\": \"Alice\", \"password\": \"...\"}]
",
    }
    stats_examples {
        en: "\
Examples:
  chat-server stats
  chat-server stats --json | jq .unread
",
        id: "\
Contoh:
  chat-server stats
  chat-server stats --json | jq .unread
",
    }
    healthcheck_examples {
        en: "\
Exit code: 0 healthy, 69 no server serves the database, 75 not in time or busy, 74 the disk is full.

Examples:
  chat-server --db /data/chat.sqlite healthcheck --timeout 2s
  HEALTHCHECK CMD chat-server healthcheck                   in a container file
",
        id: "\
Kode keluar: 0 ya, 69 tidak ada server yang melayani database, 75 terlambat atau sibuk, 74 disk penuh.

Contoh:
  chat-server --db /data/chat.sqlite healthcheck --timeout 2s
  HEALTHCHECK CMD chat-server healthcheck                   di file container
",
    }
    message_purge_examples {
        en: "\
Examples:
  chat-server message purge --older-than 90d            read messages that are older; for cron
  chat-server message purge --deleted --compact         the texts of deleted messages
  chat-server message purge --user build --sent --older-than 7d
  chat-server message purge --before-id 5000 --unread-too --dry-run
",
        id: "\
Contoh:
  chat-server message purge --older-than 90d            yang sudah dibaca dan lebih lama; untuk cron
  chat-server message purge --deleted --compact         teks pesan yang dihapus
  chat-server message purge --user build --sent --older-than 7d
  chat-server message purge --before-id 5000 --unread-too --dry-run
",
    }
    backup_examples {
        en: "\
Examples:
  chat-server --db chat.sqlite backup /backup/chat.sqlite
  chat-server --db chat.sqlite backup /backup --keep 7          from cron, once a day
  chat-server --db chat.sqlite backup /backup --every 6h --keep 28
",
        id: "\
Contoh:
  chat-server --db chat.sqlite backup /backup/chat.sqlite
  chat-server --db chat.sqlite backup /backup --keep 7          dari cron, sekali sehari
  chat-server --db chat.sqlite backup /backup --every 6h --keep 28
",
    }
    restore_examples {
        en: "\
Examples:
  chat-server --db chat.sqlite restore /backup/chat-20261124T060000Z.sqlite
  mv chat.sqlite chat.sqlite-wal aside/ && chat-server --db chat.sqlite restore backup.sqlite
",
        id: "\
Contoh:
  chat-server --db chat.sqlite restore /backup/chat-20261124T060000Z.sqlite
  mv chat.sqlite chat.sqlite-wal aside/ && chat-server --db chat.sqlite restore backup.sqlite
",
    }
    export_examples {
        en: "\
Examples:
  chat-server --db chat.sqlite export > everything.ndjson
  chat-server --db chat.sqlite export --user alice | gzip > alice.ndjson.gz
  chat-server --db chat.sqlite export | jq -r 'select(.type == \"message\").body'
",
        id: "\
Contoh:
  chat-server --db chat.sqlite export > semua.ndjson
  chat-server --db chat.sqlite export --user alice | gzip > alice.ndjson.gz
  chat-server --db chat.sqlite export | jq -r 'select(.type == \"message\").body'
",
    }
    import_examples {
        en: "\
Examples:
  chat-server --db new.sqlite import everything.ndjson
  ssh old chat-server --db chat.sqlite export | chat-server --db chat.sqlite import -
  chat-server --db chat.sqlite import --text --from build --to alice build.log
",
        id: "\
Contoh:
  chat-server --db baru.sqlite import semua.ndjson
  ssh lama chat-server --db chat.sqlite export | chat-server --db chat.sqlite import -
  chat-server --db chat.sqlite import --text --from build --to alice build.log
",
    }
    db_init_examples {
        en: "\
Exit code: 0 done, 77 the user may not do it, 65 the database is of a newer program or not UTF-8, 69 no primary answers.

Examples:
  createdb --encoding=UTF8 chat && chat-server db init 'postgres://postgres@/chat?host=/run/postgresql'
  chat-server db init postgres://chat_owner@db1,db2/chat          again after each upgrade
",
        id: "\
Kode keluar: 0 selesai, 77 user itu tidak boleh, 65 database milik program yang lebih baru atau bukan UTF-8, 69 tidak ada primary yang menjawab.

Contoh:
  createdb --encoding=UTF8 chat && chat-server db init 'postgres://postgres@/chat?host=/run/postgresql'
  chat-server db init postgres://chat_owner@db1,db2/chat          lagi setelah setiap pembaruan
",
    }
    db_check_examples {
        en: "\
Exit code: 0 it could, 78 it cannot keep the promise or the settings are unsafe, 69 no primary answers.

Examples:
  chat-server db check postgres://chat_server@db1,db2/chat
  chat-server db check --db-durability local postgres://chat_server@localhost/chat
",
        id: "\
Kode keluar: 0 bisa, 78 janjinya tidak bisa dipegang atau pengaturannya tidak aman, 69 tidak ada primary yang menjawab.

Contoh:
  chat-server db check postgres://chat_server@db1,db2/chat
  chat-server db check --db-durability local postgres://chat_server@localhost/chat
",
    }
    check_examples {
        en: "\
Examples:
  chat-server --db chat.sqlite check && echo sound
  chat-server --db chat.sqlite check --json | jq -r '.findings[]'
  chat-server --db chat.sqlite check --rebuild
",
        id: "\
Contoh:
  chat-server --db chat.sqlite check && echo utuh
  chat-server --db chat.sqlite check --json | jq -r '.findings[]'
  chat-server --db chat.sqlite check --rebuild
",
    }
}
