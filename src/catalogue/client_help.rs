//! The `--help` of `chat-cli`. Its options say it in English where they are (`client::arguments`);
//! here is the same in Indonesian, and the longer texts in both.

use super::shared_help::Help;

/// What `chat-cli --help` says of commands and options. An English text stands here as `clap` has
/// it: a single paragraph without the full stop at its end.
pub const HELP: &Help = &[
    // The program
    (
        "Talk to other users of a chat server, from the shell or at a prompt",
        "Mengobrol dengan user lain di server chat, dari shell atau dari prompt",
    ),
    // For every command
    (
        "Where the server listens: HOST:PORT, chats://HOST or unix:/PATH [default: 127.0.0.1:8889]",
        "Alamat server: HOST:PORT, chats://HOST atau unix:/PATH [bawaan: 127.0.0.1:8889]",
    ),
    (
        "Who you are there: this user's session is used, and kept apart from others",
        "Siapa kamu di sana: sesi user ini yang dipakai, dan disimpan terpisah dari yang lain",
    ),
    ("The profile of the configuration file to use", "Profil dari file konfigurasi yang dipakai"),
    (
        "How long to wait for the server, and to go on trying to send: 10s, 500ms, 2m [default: 10s]. For `ask`: how long to wait for the answer [default: 60s]. For `watch`: when to end",
        "Berapa lama menunggu server, dan terus mencoba mengirim: 10s, 500ms, 2m [bawaan: 10s]. Untuk `ask`: berapa lama menunggu jawaban [bawaan: 60s]. Untuk `watch`: kapan berhenti",
    ),
    (
        "One JSON object a line, for programs; errors too, on standard error",
        "Satu objek JSON per baris, untuk program; kesalahan juga, di standard error",
    ),
    ("How times are shown", "Cara waktu ditampilkan"),
    ("That of this machine (`TZ`, `/etc/localtime`)", "Jam mesin ini (`TZ`, `/etc/localtime`)"),
    ("UTC", "UTC"),
    ("How long ago: `2 min ago`", "Berapa lama yang lalu: `2 mnt lalu`"),
    (
        "Behave as the seed's client does, also on a terminal: the prompt shows the token",
        "Berlaku seperti klien aslinya (seed), juga di terminal: prompt menampilkan token",
    ),
    (
        "Show the request of each `send`, as the seed's client does (in the classic session)",
        "Tampilkan permintaan setiap `send`, seperti klien aslinya (dalam sesi klasik)",
    ),
    // Commands
    (
        "Log in, and keep the session for the commands that follow",
        "Login, dan simpan sesinya untuk perintah-perintah berikutnya",
    ),
    ("Send a message, exactly once", "Kirim pesan, tepat satu kali"),
    (
        "Show unread messages, and mark them as read once they are written out",
        "Tampilkan pesan yang belum dibaca, lalu tandai sudah dibaca setelah selesai ditulis",
    ),
    (
        "Show what was said, newest last; changes nothing",
        "Tampilkan percakapan, yang terbaru paling bawah; tidak mengubah apa pun",
    ),
    (
        "Tell how much is unread; exit code 1 when nothing is",
        "Beri tahu berapa yang belum dibaca; kode keluar 1 jika tidak ada",
    ),
    ("Mark messages as read", "Tandai pesan sudah dibaca"),
    (
        "Show messages as they come in, or run a command for each",
        "Tampilkan pesan begitu masuk, atau jalankan perintah untuk masing-masing",
    ),
    (
        "Send a message, wait for the answer and print it",
        "Kirim pesan, tunggu jawabannya, lalu cetak",
    ),
    ("Show who is logged in", "Tampilkan siapa yang sedang login"),
    ("Show everybody who can be written to", "Tampilkan semua yang bisa dikirimi pesan"),
    ("Show who you are", "Tampilkan siapa kamu"),
    (
        "Change your password, and end your other sessions",
        "Ganti password, dan akhiri sesimu yang lain",
    ),
    ("Show your sessions", "Tampilkan sesi-sesimu"),
    ("End a session of yours, or all others", "Akhiri salah satu sesimu, atau semua yang lain"),
    ("End the session, on the server and here", "Akhiri sesi, di server dan di sini"),
    // config
    ("Show and write down what this client is set to", "Tampilkan dan tulis pengaturan klien ini"),
    (
        "Write a configuration file, or add a profile to it: asks on a terminal, else takes the options",
        "Tulis file konfigurasi, atau tambahkan profil: bertanya di terminal, selain itu dari opsi",
    ),
    (
        "Show every setting, its value, and where that comes from",
        "Tampilkan setiap pengaturan, nilainya, dan dari mana asalnya",
    ),
    (
        "Show where the configuration file is, whether there is one or not",
        "Tampilkan letak file konfigurasi, ada atau tidak",
    ),
    (
        "Put the new file in place of the one that is there",
        "Ganti file yang sudah ada dengan yang baru",
    ),
    // auth
    ("Who you are; left out, the user that is set", "Siapa kamu; jika kosong, user yang diatur"),
    (
        "Better left out: other users of this machine can see it. Asked for on a terminal, else read from the first line of standard input",
        "Sebaiknya jangan ditulis di sini: user lain di mesin ini bisa melihatnya. Ditanyakan di terminal, atau dibaca dari baris pertama standard input",
    ),
    // send
    (
        "Send under this id instead of a new one. A message is stored once an id, however often it is sent",
        "Kirim dengan id ini, bukan id baru. Satu id disimpan satu kali, berapa kali pun dikirim",
    ),
    (
        "Send what is in this file; `-` is standard input",
        "Kirim isi file ini; `-` berarti standard input",
    ),
    (
        "Send each line of the input as a message of its own, as it comes. Empty lines are left out",
        "Kirim setiap baris masukan sebagai pesan tersendiri, begitu datang. Baris kosong dilewati",
    ),
    (
        "Whom to send it to; several with commas between: all of them get it, or none",
        "Penerimanya; beberapa dipisah koma: semua menerima, atau tidak ada satu pun",
    ),
    (
        "The text; words are joined with one space. Without it, or as `-`, standard input is sent as it is, less one line feed at its end",
        "Teksnya; kata-kata digabung dengan satu spasi. Tanpa teks, atau dengan `-`, standard input dikirim apa adanya, kecuali satu ganti baris di akhirnya",
    ),
    // inbox
    (
        "Only the texts, exactly as they were sent, each with a line feed after it. Nothing is made harmless: not for a terminal",
        "Hanya teksnya, persis seperti dikirim, masing-masing diakhiri ganti baris. Tidak ada yang diamankan: bukan untuk terminal",
    ),
    ("Leave the messages unread", "Biarkan pesan tetap belum dibaca"),
    ("Also what was read before", "Juga yang sudah dibaca"),
    ("At most so many messages, the oldest first", "Paling banyak sekian pesan, yang terlama dulu"),
    (
        "Only messages of this user. They count as read only as far as no other unread message stands before them",
        "Hanya pesan dari user ini. Terhitung sudah dibaca hanya sejauh tidak ada pesan lain yang belum dibaca sebelumnya",
    ),
    // history
    (
        "The conversation with this user, both directions. Without it, all that came in",
        "Percakapan dengan user ini, dua arah. Tanpa ini, semua yang masuk",
    ),
    ("How many messages, the newest there are", "Berapa pesan, diambil dari yang terbaru"),
    (
        "Only the texts, exactly as they were sent, each with a line feed after it",
        "Hanya teksnya, persis seperti dikirim, masing-masing diakhiri ganti baris",
    ),
    // ack
    (
        "Everything up to and with this message counts as read",
        "Semua sampai dengan pesan ini terhitung sudah dibaca",
    ),
    ("Everything there is now counts as read", "Semua yang ada sekarang terhitung sudah dibaca"),
    (
        "Move the cursor of this name, instead of that of `inbox`",
        "Pindahkan kursor dengan nama ini, bukan milik `inbox`",
    ),
    (
        "Also backwards, so that messages are unread again",
        "Juga mundur, sehingga pesan menjadi belum dibaca lagi",
    ),
    // watch
    (
        "Begin where the last `watch` of this name stopped, and remember how far this one came",
        "Mulai dari tempat `watch` terakhir dengan nama ini berhenti, dan ingat sampai mana yang ini",
    ),
    (
        "Where to begin, if there is no cursor of that name yet: `unread`, `new`, `all`, the id of a message (begins after it), or how long ago, as 2h",
        "Mulai dari mana, jika kursor bernama itu belum ada: `unread`, `new`, `all`, id pesan (mulai sesudahnya), atau berapa lama yang lalu, misalnya 2h",
    ),
    (
        "End after so many messages; exit code 1 if it ends before, or if one of them is a dead \
         letter",
        "Berhenti setelah sekian pesan; kode keluar 1 jika berhenti sebelumnya, atau jika salah satunya \
         gagal ditangani (dead letter)",
    ),
    (
        "End when everything that is there has been told, instead of waiting for more",
        "Berhenti setelah semua yang ada ditampilkan, tidak menunggu yang berikutnya",
    ),
    (
        "Also tell of `ready`, `disconnected` and `caught_up`: on standard error, or with --json as objects between the messages",
        "Beri tahu juga `ready`, `disconnected`, dan `caught_up`: di standard error, atau dengan --json sebagai objek di antara pesan",
    ),
    (
        "How often --exec is tried for a message before it is a dead letter",
        "Berapa kali --exec dicoba untuk satu pesan sebelum menjadi dead letter",
    ),
    (
        "Show the dead letters of --as NAME, and end; exit code 1 if there are none",
        "Tampilkan dead letter milik --as NAME, lalu berhenti; kode keluar 1 jika tidak ada",
    ),
    (
        "Forget the dead letters that --dead has shown",
        "Lupakan dead letter yang sudah ditampilkan --dead",
    ),
    (
        "Run this for each message, with the message as JSON on its standard input, and CHAT_ID and CHAT_FROM in its environment. Takes the rest of the command line. No shell is involved",
        "Jalankan ini untuk setiap pesan, dengan pesannya sebagai JSON di standard input, dan CHAT_ID serta CHAT_FROM di environment. Mengambil seluruh sisa baris perintah. Tanpa shell",
    ),
    // ask
    (
        "Send under this id instead of a new one: asking again with the same id asks once, and waits for the same answer",
        "Kirim dengan id ini, bukan id baru: bertanya lagi dengan id yang sama hanya bertanya satu kali, dan menunggu jawaban yang sama",
    ),
    ("Whom to ask", "Siapa yang ditanya"),
    (
        "The question; words are joined with one space. `-` is standard input, and what comes after `--` is text too",
        "Pertanyaannya; kata-kata digabung dengan satu spasi. `-` berarti standard input, dan yang ada setelah `--` juga teks",
    ),
    // revoke
    (
        "The session with this id: `sessions` shows them",
        "Sesi dengan id ini: `sessions` menampilkannya",
    ),
    ("All but the one in use", "Semua kecuali yang sedang dipakai"),
    // TLS
    (
        "For chats://: trust what the authority in this PEM file has signed, instead of the system's",
        "Untuk chats://: percayai yang ditandatangani otoritas dalam berkas PEM ini, bukan milik sistem",
    ),
    (
        "Show the certificate of a server that speaks TLS, and pin it",
        "Tampilkan sertifikat server yang memakai TLS, lalu sematkan",
    ),
    (
        "The server; that of --server where nothing is said. The port is 8890 where none is given",
        "Server yang dimaksud; yang dari --server jika tidak disebut. Port-nya 8890 jika tidak diberikan",
    ),
    (
        "Pin the certificate without a question, if this is its fingerprint",
        "Sematkan sertifikatnya tanpa bertanya, jika ini sidik jarinya",
    ),
    (
        "Show every pinned certificate; exit code 1 if there are none",
        "Tampilkan semua sertifikat yang disematkan; kode keluar 1 jika tidak ada",
    ),
    (
        "Forget the certificate that is pinned for the server",
        "Lupakan sertifikat yang disematkan untuk server itu",
    ),
];

texts! {
    examples {
        en: "\
Examples:
  chat-cli                            the prompt; `help` there lists its commands
  chat-cli auth paff                  log in (asks for the password), then:
  chat-cli send neko hai neko         send a message
  make 2>&1 | chat-cli send neko      send what a program says
  chat-cli inbox                      read what came in
  chat-cli watch                      see what comes in
  chat-cli watch --as worker --exec ./handle.sh
                                      have each message dealt with, once
  chat-cli ask neko 'shall I?'        wait for an answer
  chat-cli unread >/dev/null && echo there is mail
  chat-cli logout
  printf 'auth paff cytus\\ninbox\\n' | chat-cli
                                      the seed's session, as a script

Environment:
  CHAT_SERVER   where the server listens, as --server
  CHAT_USER     who you are there, as --user
  CHAT_PROFILE  the profile to use, as --profile
  CHAT_TOKEN    the session to use, instead of the one that `auth` stored
  CHAT_LANG     the language: en or id, as --lang
  NO_COLOR      no colours, also on a terminal
  The session is kept in $XDG_STATE_HOME/chat or ~/.local/state/chat, one a server, or one a user
  where the user is set.

What is not said by an option comes from the environment, else from the profile in use, else from the
top of $XDG_CONFIG_HOME/chat/config.toml or ~/.config/chat/config.toml: `chat-cli config show`.
",
        id: "\
Contoh:
  chat-cli                            prompt; `help` di sana menampilkan perintahnya
  chat-cli auth paff                  login (password ditanyakan), lalu:
  chat-cli send neko hai neko         kirim pesan
  make 2>&1 | chat-cli send neko      kirim keluaran sebuah program
  chat-cli inbox                      baca pesan yang masuk
  chat-cli watch                      lihat pesan begitu masuk
  chat-cli watch --as worker --exec ./handle.sh
                                      setiap pesan ditangani, satu kali
  chat-cli ask neko 'boleh?'          tunggu jawaban
  chat-cli unread >/dev/null && echo ada pesan
  chat-cli logout
  printf 'auth paff cytus\\ninbox\\n' | chat-cli
                                      sesi seperti klien aslinya, sebagai skrip

Environment:
  CHAT_SERVER   alamat server, seperti --server
  CHAT_USER     siapa kamu di sana, seperti --user
  CHAT_PROFILE  profil yang dipakai, seperti --profile
  CHAT_TOKEN    sesi yang dipakai, bukan yang disimpan oleh `auth`
  CHAT_LANG     bahasa: en atau id, seperti --lang
  NO_COLOR      tanpa warna, juga di terminal
  Sesi disimpan di $XDG_STATE_HOME/chat atau ~/.local/state/chat, satu per server, atau satu per user
  jika user diatur.

Yang tidak disebut oleh opsi berasal dari environment, lalu dari profil yang dipakai, lalu dari bagian
atas $XDG_CONFIG_HOME/chat/config.toml atau ~/.config/chat/config.toml: `chat-cli config show`.
",
    }
    config_init_examples {
        en: "\
Examples:
  chat-cli config init                                    asks, tries the server, offers to log in
  chat-cli --server chat.example.org:8889 --user ivy config init
  chat-cli --profile work --server 10.0.0.5:8889 config init
                                                          adds [profile.work] to the file",
        id: "\
Contoh:
  chat-cli config init                                    bertanya, mencoba server, menawarkan login
  chat-cli --server chat.example.org:8889 --user ivy config init
  chat-cli --profile work --server 10.0.0.5:8889 config init
                                                          menambahkan [profile.work] ke file itu",
    }
    auth_examples {
        en: "\
Examples:
  chat-cli auth paff                        asks for the password, without echo
  chat-cli auth paff < password-file        for scripts
  CHAT_TOKEN=$(chat-cli auth paff < password-file | sed 's/.*token //')

Prints `username paff logged in`, and the token after it if standard output is no terminal. The
session is kept in $XDG_STATE_HOME/chat or ~/.local/state/chat, one a server, for you alone.",
        id: "\
Contoh:
  chat-cli auth paff                        password ditanyakan, tanpa ditampilkan
  chat-cli auth paff < file-password        untuk skrip
  CHAT_TOKEN=$(chat-cli auth paff < file-password | sed 's/.*token //')

Mencetak `user paff sudah login`, dan tokennya sesudah itu jika standard output bukan terminal. Sesi
disimpan di $XDG_STATE_HOME/chat atau ~/.local/state/chat, satu per server, hanya untukmu.",
    }
    send_examples {
        en: "\
Examples:
  chat-cli send neko hai neko
  chat-cli send neko,robo the build is done
  chat-cli send neko -- --not-an-option
  chat-cli send neko < letter.txt            several lines, kept exactly
  chat-cli send neko -F letter.txt           the same
  tail -f log | chat-cli send neko --lines   each line a message, as it comes
  chat-cli send neko --lines --id night-7 -F report.txt
                                             run it twice: each line is sent once

A connection that breaks is tried again, with the same id, until --timeout is over, so the message
is stored once. If there is no answer by then, the exit code is 75 and the id is named: sending the
same text with --id ID later finds out, and sends it if it was not.

With --lines, line 12 goes under the id ID-12, so the same input with the same ID goes on where it
stopped. ID has at most 52 characters then. A line that is refused ends it.",
        id: "\
Contoh:
  chat-cli send neko hai neko
  chat-cli send neko,robo build sudah selesai
  chat-cli send neko -- --bukan-opsi
  chat-cli send neko < surat.txt             beberapa baris, persis apa adanya
  chat-cli send neko -F surat.txt            sama saja
  tail -f log | chat-cli send neko --lines   setiap baris satu pesan, begitu datang
  chat-cli send neko --lines --id malam-7 -F laporan.txt
                                             dijalankan dua kali: tiap baris terkirim sekali

Jika koneksi putus, pengiriman dicoba lagi dengan id yang sama sampai --timeout habis, sehingga pesan
disimpan satu kali. Jika sampai saat itu belum ada jawaban, kode keluarnya 75 dan id-nya disebut:
mengirim teks yang sama dengan --id ID nanti akan memastikan, dan mengirimnya jika belum terkirim.

Dengan --lines, baris 12 memakai id ID-12, sehingga masukan yang sama dengan ID yang sama berlanjut
dari tempat berhentinya. ID paling panjang 52 karakter. Baris yang ditolak menghentikannya.",
    }
    inbox_examples {
        en: "\
On a terminal: time, sender and text in columns; what could act on the terminal is shown as an
escape such as \\x1b. With --json an object a message. Anywhere else, one line of JSON as the seed's
client prints it:
  {\"paff\": [{\"msg\": \"hai neko\"}]}
({} if there is nothing; more than one line only for more than 64 MiB). Messages count as read when
they have been written out, so nothing is lost if whoever reads the output goes away.

Examples:
  chat-cli inbox
  chat-cli inbox | jq -r '.paff[].msg'
  chat-cli inbox --json | jq -r '[.at, .from, .body] | @tsv'
  chat-cli inbox --peek -n 5                 the oldest five, which stay unread
  chat-cli inbox --from paff
  chat-cli inbox --raw >> messages.txt",
        id: "\
Di terminal: waktu, pengirim, dan teks dalam kolom; yang bisa mengacaukan terminal ditampilkan
sebagai escape seperti \\x1b. Dengan --json satu objek per pesan. Selain itu, satu baris JSON seperti
yang dicetak klien aslinya:
  {\"paff\": [{\"msg\": \"hai neko\"}]}
({} jika tidak ada; lebih dari satu baris hanya jika lebih dari 64 MiB). Pesan terhitung sudah dibaca
setelah selesai ditulis, jadi tidak ada yang hilang jika pembaca keluarannya pergi.

Contoh:
  chat-cli inbox
  chat-cli inbox | jq -r '.paff[].msg'
  chat-cli inbox --json | jq -r '[.at, .from, .body] | @tsv'
  chat-cli inbox --peek -n 5                 lima yang terlama, tetap belum dibaca
  chat-cli inbox --from paff
  chat-cli inbox --raw >> pesan.txt",
    }
    history_examples {
        en: "\
On a terminal: time, sender and text in columns. Anywhere else a line a message: time, sender and
text with tabs between, a line end in the text as \\n; or --json, or --raw. Exit code 1 if there is
nothing.

Examples:
  chat-cli history                           the last 20 messages that came in
  chat-cli history paff -n 100               the conversation with paff
  chat-cli history paff -n 1 --raw           the last word, exactly",
        id: "\
Di terminal: waktu, pengirim, dan teks dalam kolom. Selain itu satu baris per pesan: waktu, pengirim,
dan teks dipisah tab, ganti baris di dalam teks menjadi \\n; atau --json, atau --raw. Kode keluar 1
jika tidak ada apa-apa.

Contoh:
  chat-cli history                           20 pesan terakhir yang masuk
  chat-cli history paff -n 100               percakapan dengan paff
  chat-cli history paff -n 1 --raw           kata terakhir, persis",
    }
    ack_examples {
        en: "\
Examples:
  chat-cli ack 42                            messages up to 42 count as read
  chat-cli ack --all
  chat-cli ack 0 --rewind                    everything is unread again
  chat-cli ack --all --as worker             `watch --as worker` begins with what comes next",
        id: "\
Contoh:
  chat-cli ack 42                            pesan sampai 42 terhitung sudah dibaca
  chat-cli ack --all
  chat-cli ack 0 --rewind                    semua menjadi belum dibaca lagi
  chat-cli ack --all --as worker             `watch --as worker` mulai dari yang berikutnya",
    }
    watch_examples {
        en: "\
Shows what is unread and then each message as it comes in: in columns on a terminal; anywhere else a
line a message (time, sender and text with tabs between, a line end in the text as \\n); or --json,
or --raw. A connection that breaks, and one that is silent for 90 s, is made anew, without a message
lost or shown twice.

With --as NAME the place is remembered on the server. It moves when a message has been written out,
or when the command of --exec has ended with 0; without --as nothing is marked as read.

Examples:
  chat-cli watch
  chat-cli watch --as log >> messages.txt    stop it and start it again: nothing is missing
  chat-cli watch --since 2h --exit-at-end    what came in the last two hours
  chat-cli watch --since new -n 1 --timeout 5m
                                             wait for the next message; exit code 1 if none comes
  chat-cli watch --json --events | jq --unbuffered .

  chat-cli watch --as worker --exec ./handle.sh
      ./handle.sh gets {\"v\": 1, \"id\": 7, \"at\": …, \"from\": \"paff\", \"to\": …, \"body\": …} on its
      standard input. If it fails it is run again, --max-tries times in all, with longer and longer
      pauses; then the message is a dead letter and the next one's turn comes. A message may be dealt
      with twice, if this program is killed between the two; CHAT_ID is the same then.
  chat-cli watch --as worker --dead          the messages that could not be dealt with
  chat-cli watch --as worker --dead --clear  show them, and forget them",
        id: "\
Menampilkan yang belum dibaca, lalu setiap pesan begitu masuk: dalam kolom di terminal; selain itu
satu baris per pesan (waktu, pengirim, dan teks dipisah tab, ganti baris di dalam teks menjadi \\n);
atau --json, atau --raw. Koneksi yang putus, dan yang diam selama 90 s, dibuka lagi, tanpa ada pesan
yang hilang atau tampil dua kali.

Dengan --as NAME, posisinya diingat di server. Posisi maju setelah pesan ditulis, atau setelah
perintah --exec berakhir dengan 0; tanpa --as tidak ada yang ditandai sudah dibaca.

Contoh:
  chat-cli watch
  chat-cli watch --as log >> pesan.txt       hentikan dan mulai lagi: tidak ada yang hilang
  chat-cli watch --since 2h --exit-at-end    yang masuk dalam dua jam terakhir
  chat-cli watch --since new -n 1 --timeout 5m
                                             tunggu pesan berikutnya; kode keluar 1 jika tidak ada
  chat-cli watch --json --events | jq --unbuffered .

  chat-cli watch --as worker --exec ./handle.sh
      ./handle.sh mendapat {\"v\": 1, \"id\": 7, \"at\": …, \"from\": \"paff\", \"to\": …, \"body\": …} di
      standard input-nya. Jika gagal, dijalankan lagi, seluruhnya --max-tries kali, dengan jeda makin
      panjang; setelah itu pesannya menjadi dead letter dan giliran yang berikutnya. Satu pesan bisa
      ditangani dua kali, jika program ini dimatikan di antaranya; CHAT_ID-nya tetap sama.
  chat-cli watch --as worker --dead          pesan yang tidak bisa ditangani
  chat-cli watch --as worker --dead --clear  tampilkan, lalu lupakan",
    }
    ask_examples {
        en: "\
The answer is the first message of that user after the question. Only its text is printed. It counts
as read if nothing else is unread. Exit code 1 if none came within --timeout (60s).

Examples:
  chat-cli ask neko 'deploy to production? (yes/no)' --timeout 10m
  answer=$(chat-cli ask --timeout 10m neko shall I deploy) && [ \"$answer\" = yes ] && ./deploy",
        id: "\
Jawabannya adalah pesan pertama dari user itu setelah pertanyaan. Hanya teksnya yang dicetak. Jawaban
terhitung sudah dibaca jika tidak ada lagi yang belum dibaca. Kode keluar 1 jika tidak ada yang datang
dalam --timeout (60s).

Contoh:
  chat-cli ask neko 'deploy ke produksi? (ya/tidak)' --timeout 10m
  jawab=$(chat-cli ask --timeout 10m neko boleh deploy) && [ \"$jawab\" = ya ] && ./deploy",
    }

    trust_examples {
        en: "\
Connects, shows the certificate with its fingerprint, who it is for and whether the authorities trust
it, and asks whether to pin it. What is pinned is trusted alone: another certificate is refused, also
one that the authorities trust. It may be expired or for another name: the fingerprint is the name.

Examples:
  chat-cli trust chat.example.org            shows it and asks
  chat-cli trust chat.example.org:8890 --fingerprint SHA256:AB:CD...
                                             for scripts: pins it if it is this one
  chat-cli trust --list
  chat-cli trust chat.example.org --remove",
        id: "\
Menyambung, menampilkan sertifikat beserta sidik jarinya, untuk siapa, dan apakah otoritas
memercayainya, lalu bertanya apakah disematkan. Hanya yang disematkan yang dipercaya: sertifikat lain
ditolak, juga yang dipercaya otoritas. Boleh kedaluwarsa atau untuk nama lain: sidik jarilah namanya.

Contoh:
  chat-cli trust chat.example.org            menampilkan dan bertanya
  chat-cli trust chat.example.org:8890 --fingerprint SHA256:AB:CD...
                                             untuk skrip: disematkan jika memang yang ini
  chat-cli trust --list
  chat-cli trust chat.example.org --remove",
    }
}
