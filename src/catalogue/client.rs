//! The texts of `chat-cli`'s commands: results, errors and hints.

texts! {
    // The session
    not_logged_in { en: "not authorized", id: "belum login" }
    log_in { en: "log in with `chat-cli auth USER`", id: "login dengan `chat-cli auth USER`" }
    kernel_names_nobody(reason) {
        en: "not authorized: no session is stored, and the server does not log you in: {reason}",
        id: "belum login: tidak ada sesi yang disimpan, dan server tidak memasukkan Anda: {reason}",
    }
    kernel_names_another(named, wanted) {
        en: "the server knows you as {named}, and the user is set to {wanted}",
        id: "server mengenal Anda sebagai {named}, padahal user yang dipilih {wanted}",
    }
    log_in_as_set_user(user) {
        en: "leave out --user, or log in with `chat-cli --user {user} auth`",
        id: "hilangkan --user, atau login dengan `chat-cli --user {user} auth`",
    }
    log_in_again {
        en: "log in again with `chat-cli auth USER`",
        id: "login lagi dengan `chat-cli auth USER`",
    }
    logged_in(user) { en: "username {user} logged in", id: "user {user} sudah login" }
    logged_in_with_token(user, token) {
        en: "username {user} logged in, token {token}",
        id: "user {user} sudah login, token {token}",
    }
    logged_out { en: "logged out", seed: "\"Logout berhasil\"" }
    variable_goes_before(variable) {
        en: "{variable} is set and takes precedence over the session just stored",
        id: "{variable} sedang diisi, dan dipakai lebih dulu daripada sesi yang baru disimpan",
    }
    session_file_damaged(path) { en: "{path} is damaged", id: "{path} rusak" }
    opened { en: "opened", id: "dibuka" }
    last_used { en: "last used", id: "terakhir dipakai" }
    no_session_of_yours(number) {
        en: "you have no session {number}",
        id: "kamu tidak punya sesi {number}",
    }
    end_a_session {
        en: "end a watch or a prompt of this user, or `revoke` a session where one is logged in",
        id: "akhiri satu watch atau prompt user ini, atau `revoke` satu sesi dari tempat yang sudah login",
    }
    list_sessions {
        en: "`sessions` lists your sessions",
        id: "`sessions` menampilkan sesi-sesimu",
    }
    one_session_ended { en: "1 session ended", id: "1 sesi diakhiri" }
    sessions_ended(count) { en: "{count} sessions ended", id: "{count} sesi diakhiri" }

    // Passwords
    password_prompt { en: "Password: ", id: "Password: " }
    password_of_prompt(user) { en: "Password for {user}: ", id: "Password untuk {user}: " }
    old_password_prompt { en: "Old password: ", id: "Password lama: " }
    new_password_prompt { en: "New password: ", id: "Password baru: " }
    new_password_again_prompt { en: "New password again: ", id: "Password baru sekali lagi: " }
    passwords_differ { en: "the new passwords are not the same", id: "kedua password baru tidak sama" }
    passwords_differ_at_prompt {
        en: "the new passwords are not the same, nothing was changed",
        id: "kedua password baru tidak sama, tidak ada yang diubah",
    }
    nothing_changed {
        en: "nothing was changed; try again",
        id: "tidak ada yang diubah; ulangi dari awal",
    }
    password_changed(sessions) {
        en: "password changed, {sessions}",
        id: "password sudah diganti, {sessions}",
    }
    password_unreadable(error) {
        en: "cannot read the password: {error}",
        id: "password tidak bisa dibaca: {error}",
    }
    password_empty { en: "the password is empty", id: "password kosong" }
    password_refused(problem) {
        en: "the password is refused: {problem}",
        id: "password ditolak: {problem}",
    }
    give_password {
        en: "type it on a terminal, or give it as the first line of standard input",
        id: "ketik di terminal, atau berikan sebagai baris pertama standard input",
    }

    // The server
    output_failed(error) {
        en: "cannot write to standard output: {error}",
        id: "tidak bisa menulis ke standard output: {error}",
    }
    output_not_open {
        en: "standard output is closed, so nothing could be shown",
        id: "standard output ditutup, jadi tidak ada yang bisa ditampilkan",
    }
    open_output {
        en: "nothing was done; open standard output, or mark messages as read with `chat-cli ack --all`",
        id: "tidak ada yang dilakukan; buka standard output, atau tandai pesan sudah dibaca dengan `chat-cli ack --all`",
    }
    server_twice(address) {
        en: "{address} is in the list twice",
        id: "{address} ada dua kali di daftar",
    }
    too_many_servers(most) {
        en: "give at most {most} servers",
        id: "beri paling banyak {most} server",
    }
    unreachable(address, error) {
        en: "cannot reach {address}: {error}",
        id: "{address} tidak bisa dihubungi: {error}",
    }
    connection_broke(address) {
        en: "the connection to {address} broke before the answer",
        id: "koneksi ke {address} putus sebelum ada jawaban",
    }
    no_answer(address, within) {
        en: "no answer from {address} within {within}",
        id: "tidak ada jawaban dari {address} dalam {within}",
    }
    not_understood(address, reason) {
        en: "{address} does not speak this protocol: {reason}",
        id: "{address} tidak memakai protokol ini: {reason}",
    }
    start_a_server {
        en: "start one with `chat-server --db chat.sqlite`, or name another with --server HOST:PORT or CHAT_SERVER",
        id: "jalankan dengan `chat-server --db chat.sqlite`, atau sebut server lain dengan --server HOST:PORT atau CHAT_SERVER",
    }
    server_is_older {
        en: "the server is older than this client",
        id: "server ini lebih lama daripada kliennya",
    }
    reply_unreadable { en: "the reply is not understood", id: "balasannya tidak dipahami" }
    reply_unreadable_because(error) {
        en: "the reply is not understood: {error}",
        id: "balasannya tidak dipahami: {error}",
    }
    reply_without_status { en: "the reply has no status", id: "balasannya tanpa status" }
    reply_lacks(field) { en: "the reply lacks {field}", id: "balasannya tanpa {field}" }
    reply_endless { en: "the reply has no end", id: "balasannya tidak ada akhirnya" }
    reply_not_asked_for {
        en: "a reply arrived that no request asked for",
        id: "ada balasan yang tidak diminta",
    }
    reply_about_others {
        en: "the reply is about other recipients",
        id: "balasannya tentang penerima lain",
    }
    several_replies { en: "there is more than one reply", id: "ada lebih dari satu balasan" }
    no_list_of_users { en: "the reply is no list of users", id: "balasannya bukan daftar user" }

    // Addresses
    address_without_port {
        en: "give HOST:PORT, for example 127.0.0.1:8889; chats://HOST for TLS; or unix:/PATH",
        id: "tulis HOST:PORT, misalnya 127.0.0.1:8889; chats://HOST untuk TLS; atau unix:/PATH",
    }
    socket_path_not_whole {
        en: "give the whole path of the socket, for example unix:/run/chat/chat.sock",
        id: "tulis path lengkap socket-nya, misalnya unix:/run/chat/chat.sock",
    }
    address_of_unknown_kind {
        en: "give chats://HOST for TLS, chat://HOST, HOST:PORT, or unix:/PATH",
        id: "tulis chats://HOST untuk TLS, chat://HOST, HOST:PORT, atau unix:/PATH",
    }
    port_out_of_range {
        en: "the port has to be a number from 1 to 65535",
        id: "port harus angka dari 1 sampai 65535",
    }
    host_invalid {
        en: "the host is neither a name nor an address",
        id: "host bukan nama dan bukan alamat",
    }
    address_without_brackets {
        en: "write an IPv6 address in brackets, for example [::1]:8889",
        id: "tulis alamat IPv6 dalam kurung siku, misalnya [::1]:8889",
    }
    host_without_address { en: "the host has no address", id: "host itu tidak punya alamat" }

    // Files
    no_place_for_session {
        en: "there is no place to keep the session",
        id: "tidak ada tempat untuk menyimpan sesi",
    }
    set_home {
        en: "set HOME, or XDG_STATE_HOME, to a folder with an absolute path",
        id: "isi HOME, atau XDG_STATE_HOME, dengan folder yang path-nya absolut",
    }
    folder_not_made(path, error) {
        en: "cannot make the folder {path}: {error}",
        id: "folder {path} tidak bisa dibuat: {error}",
    }
    folder_not_opened(path, error) {
        en: "cannot open the folder {path}: {error}",
        id: "folder {path} tidak bisa dibuka: {error}",
    }
    file_not_opened(path, error) {
        en: "cannot open {path}: {error}",
        id: "{path} tidak bisa dibuka: {error}",
    }
    file_not_read(path, error) {
        en: "cannot read {path}: {error}",
        id: "{path} tidak bisa dibaca: {error}",
    }
    file_not_written(path, error) {
        en: "cannot write {path}: {error}",
        id: "{path} tidak bisa ditulis: {error}",
    }
    file_not_locked(path, error) {
        en: "cannot lock {path}: {error}",
        id: "{path} tidak bisa dikunci: {error}",
    }
    file_not_removed(path, error) {
        en: "cannot remove {path}: {error}",
        id: "{path} tidak bisa dihapus: {error}",
    }
    not_a_folder(path) { en: "{path} is not a folder", id: "{path} bukan folder" }
    move_folder_away {
        en: "move it away, or set XDG_STATE_HOME to another place",
        id: "pindahkan, atau isi XDG_STATE_HOME dengan tempat lain",
    }
    belongs_to_another(path) {
        en: "{path} belongs to another user",
        id: "{path} milik user lain",
    }
    use_own_folder {
        en: "move it away, or set XDG_STATE_HOME to a folder of your own",
        id: "pindahkan, atau isi XDG_STATE_HOME dengan folder milikmu sendiri",
    }
    open_to_others(path) {
        en: "{path} is open to other users",
        id: "{path} terbuka untuk user lain",
    }
    change_mode(mode, path) { en: "chmod {mode} {path}", id: "chmod {mode} {path}" }
    not_our_file(path) {
        en: "{path} is not a file that this client wrote",
        id: "{path} bukan file yang ditulis klien ini",
    }
    move_file_away {
        en: "move it away, then log in again",
        id: "pindahkan, lalu login lagi",
    }

    // Sending
    message_sent(to) { en: "message sent to {to}", id: "pesan terkirim ke {to}" }
    sending { en: "sending", id: "mengirim" }
    one_message_sent(to) { en: "1 message sent to {to}", id: "1 pesan terkirim ke {to}" }
    messages_sent(count, to) { en: "{count} messages sent to {to}", id: "{count} pesan terkirim ke {to}" }
    already_stored(summary, count) {
        en: "{summary}, {count} of them already stored",
        id: "{summary}, {count} di antaranya sudah tersimpan",
    }
    sent_but_not_printed(error) {
        en: "the message was sent, but standard output cannot be written: {error}",
        id: "pesannya terkirim, tetapi tidak bisa menulis ke standard output: {error}",
    }
    lines_sent_but_not_printed(error) {
        en: "every line was sent, but standard output cannot be written: {error}",
        id: "semua baris terkirim, tetapi tidak bisa menulis ke standard output: {error}",
    }
    resend_to_see_the_result(id, to) {
        en: "`chat-cli send --id {id} {to} TEXT` with the same text reports it again, and sends nothing new",
        id: "`chat-cli send --id {id} {to} TEXT` dengan teks yang sama memberitahukannya lagi, tanpa mengirim apa pun",
    }
    resend_lines_to_see_the_result(id) {
        en: "with --lines --id {id} the same input reports it again, and sends nothing new",
        id: "dengan --lines --id {id} masukan yang sama memberitahukannya lagi, tanpa mengirim apa pun",
    }
    no_text { en: "there is no text", id: "tidak ada teks" }
    give_text {
        en: "chat-cli send TO TEXT, or pipe it: PROGRAM | chat-cli send TO",
        id: "chat-cli send TO TEXT, atau lewat pipe: PROGRAM | chat-cli send TO",
    }
    text_unreadable(error) {
        en: "cannot read the text: {error}",
        id: "teksnya tidak bisa dibaca: {error}",
    }
    id_too_long_for_lines(max) {
        en: "with --lines the id has at most {max} characters",
        id: "dengan --lines panjang id paling banyak {max} karakter",
    }
    at_line(number, failure) { en: "line {number}: {failure}", id: "baris {number}: {failure}" }
    go_on_from_line(id) {
        en: "the lines before it were sent; with --lines --id {id} the same input resumes there",
        id: "baris sebelumnya sudah terkirim; dengan --lines --id {id} masukan yang sama berlanjut dari situ",
    }
    no_key(error) { en: "no key: {error}", id: "tidak ada key: {error}" }
    outcome_unknown(address, within) {
        en: "no answer from {address} within {within}: it is not known whether the message was sent",
        id: "tidak ada jawaban dari {address} dalam {within}: belum tentu apakah pesannya terkirim",
    }
    outcome_unknown_after(address, said) {
        en: "{address} answered something else ({said}): it is not known whether the message was sent",
        id: "{address} menjawab hal lain ({said}): belum tentu apakah pesannya terkirim",
    }
    send_under_id(id, to) {
        en: "`chat-cli send --id {id} {to} TEXT` with the same text sends it, unless it was sent",
        id: "`chat-cli send --id {id} {to} TEXT` dengan teks yang sama mengirimnya, kecuali sudah terkirim",
    }

    question_sent(failure) {
        en: "the question was sent, then: {failure}",
        id: "pertanyaannya terkirim, lalu: {failure}",
    }
    answer_not_printed(error) {
        en: "the answer came, but standard output cannot be written: {error}",
        id: "jawabannya datang, tetapi tidak bisa menulis ke standard output: {error}",
    }
    ask_under_id(id, to) {
        en: "`chat-cli ask --id {id} {to} TEXT` with the same text does not ask twice, and waits for the same answer",
        id: "`chat-cli ask --id {id} {to} TEXT` dengan teks yang sama tidak bertanya dua kali, dan menunggu jawaban yang sama",
    }
    answered(user) { en: "{user} answered", id: "{user} menjawab" }
    question_in_archived(room) {
        en: "nobody has answered, and {room} is archived",
        id: "belum ada yang menjawab, dan {room} sudah diarsipkan",
    }
    question_in_left(room) {
        en: "nobody has answered, and you are no longer in {room}",
        id: "belum ada yang menjawab, dan kamu sudah tidak di {room}",
    }
    from_is_for_a_room(user) {
        en: "--from is for a question in a room: nobody but {user} can answer this one",
        id: "--from untuk pertanyaan di ruang: yang ini hanya bisa dijawab {user}",
    }

    // Reading
    no_new_messages { en: "no new messages", id: "tidak ada pesan baru" }
    no_messages { en: "no messages", id: "tidak ada pesan" }
    cursor_stands_at(cursor, id) { en: "{cursor} stands at {id}", id: "{cursor} ada di {id}" }
    conversation_is_read(name, id) {
        en: "{name} is read up to {id}",
        id: "{name} sudah dibaca sampai {id}",
    }

    id_negative { en: "an id is 0 or more", id: "id itu 0 atau lebih" }

    // Watching
    caught_up(id) { en: "caught up with message {id}", id: "sudah sampai pesan {id}" }
    watching(user, id) {
        en: "watching for {user} after message {id}",
        id: "memantau pesan untuk {user} setelah pesan {id}",
    }
    trying_again(failure, milliseconds) {
        en: "{failure}; trying again in {milliseconds}ms",
        id: "{failure}; dicoba lagi dalam {milliseconds}ms",
    }
    cursor_not_confirmed {
        en: "the server did not confirm that the cursor has moved",
        id: "server tidak memastikan bahwa kursornya sudah pindah",
    }
    last_may_come_again {
        en: "the last messages may be shown or handled again",
        id: "pesan terakhir mungkin ditampilkan atau ditangani lagi",
    }
    command_not_run(program, error) {
        en: "cannot run {program}: {error}",
        id: "{program} tidak bisa dijalankan: {error}",
    }
    watched_already(cursor, process) {
        en: "another `watch --exec` handles the messages of cursor {cursor}: process {process}",
        id: "`watch --exec` lain sedang menangani pesan kursor {cursor}: proses {process}",
    }
    command_left(cursor, message, process) {
        en: "a `watch --exec` of cursor {cursor} was killed, and its command for message {message} is still running: process {process}",
        id: "`watch --exec` untuk kursor {cursor} dimatikan, tetapi perintahnya untuk pesan {message} masih berjalan: proses {process}",
    }
    command_left_something(cursor) {
        en: "a process that a `watch --exec` of cursor {cursor} started is still running",
        id: "proses yang dijalankan `watch --exec` untuk kursor {cursor} masih berjalan",
    }
    end_the_other_watch {
        en: "wait until it ends, or end it; a cursor with another name (--as) is independent of it",
        id: "tunggu sampai selesai, atau hentikan; kursor dengan nama lain (--as) tidak bergantung padanya",
    }
    command_failed(program, id, status, number, max) {
        en: "{program} failed for message {id} ({status}), try {number} of {max}",
        id: "{program} gagal untuk pesan {id} ({status}), percobaan {number} dari {max}",
    }

    // The command line
    only_for_the_prompt {
        en: "--classic and --trace are for the prompt, not for a command",
        id: "--classic dan --trace untuk prompt, bukan untuk perintah",
    }
    json_only_for_a_command {
        en: "--json is for a command, not for the prompt",
        id: "--json untuk perintah, bukan untuk prompt",
    }
    json_or_raw {
        en: "--json and --raw are two ways to print the same",
        id: "--json dan --raw adalah dua cara mencetak hal yang sama",
    }
    give_beginning {
        en: "give unread, new, all, an id, or a time such as 2h",
        id: "tulis unread, new, all, id, atau waktu seperti 2h",
    }
    no_beginning(text) {
        en: "{text} is none of unread, new, all, an id, or a time such as 2h",
        id: "{text} bukan unread, new, all, id, atau waktu seperti 2h",
    }
    timeout_too_short { en: "give at least 1ms", id: "tulis paling sedikit 1ms" }
    timeout_too_long { en: "give at most 24h", id: "tulis paling banyak 24h" }
    give_pid {
        en: "give the number of a process, as `ps` and `$!` have it",
        id: "beri nomor proses, seperti pada `ps` dan `$!`",
    }
    give_tail(max) {
        en: "give a number of lines from 0 to {max}",
        id: "beri banyaknya baris dari 0 sampai {max}",
    }
    give_count { en: "give a number of at least 1", id: "tulis angka paling sedikit 1" }
    give_key(problem) {
        en: "{problem}; give 1 to 64 characters of printable ASCII, no spaces",
        id: "{problem}; tulis 1 sampai 64 karakter ASCII yang bisa dicetak, tanpa spasi",
    }
    give_cursor(problem) {
        en: "{problem}; give 1 to 64 of a-z 0-9 _ - .",
        id: "{problem}; tulis 1 sampai 64 dari a-z 0-9 _ - .",
    }

    // The same in both: messages are shown alike in every language.
    answers_message(id) { en: "(re {id})", id: "(re {id})" }
    // The command that answers a question.
    answered_by(id) { en: "(reply {id})", id: "(reply {id})" }
    question_does_not_fit(max, bytes) {
        en: "a question has at most {max} answers to choose from and users of --from together; the name of such a user has at most {bytes} characters",
        id: "satu pertanyaan punya paling banyak {max} pilihan jawaban dan user --from, dijumlahkan; nama user itu paling panjang {bytes} karakter",
    }
    answer_not_offered(user, id, offered) {
        en: "message {id} of {user} is none of the offered answers ({offered}): still waiting",
        id: "pesan {id} dari {user} bukan jawaban yang ditawarkan ({offered}): masih menunggu",
    }
    answer_of_another(user, id) {
        en: "message {id} of {user} does not count, who is not one of --from: still waiting",
        id: "pesan {id} dari {user} tidak dihitung, karena bukan salah satu --from: masih menunggu",
    }
    several_questions_open(user, count, id, question) {
        en: "{count} questions to {user} are open, so message {id} answers none: this one is {question}",
        id: "ada {count} pertanyaan untuk {user}, jadi pesan {id} tidak menjawab: yang ini {question}",
    }
    give_title(problem, max) {
        en: "{problem}; give one line of at most {max} bytes",
        id: "{problem}; tulis satu baris paling banyak {max} byte",
    }
    give_tag(problem, max) {
        en: "{problem}; give 1 to {max} characters of printable ASCII, no spaces and commas",
        id: "{problem}; tulis 1 sampai {max} karakter ASCII yang bisa dicetak, tanpa spasi dan koma",
    }
    too_many_tags(max) {
        en: "there are too many tags: give at most {max}",
        id: "terlalu banyak tag: tulis paling banyak {max}",
    }
    give_click(problem) {
        en: "{problem}; give a URL of printable ASCII",
        id: "{problem}; tulis URL dari karakter ASCII yang bisa dicetak",
    }
    give_http {
        en: "give a URL that begins with http:// or https:// and a host",
        id: "tulis URL yang diawali http:// atau https:// dan nama host",
    }
    give_message_id {
        en: "give the id of a message: a whole number from 1",
        id: "tulis id pesan: bilangan bulat mulai dari 1",
    }

    // Exit codes
    exit_done { en: "done", id: "selesai" }
    exit_nothing {
        en: "nothing matched: nothing unread, no answer, nothing to show",
        id: "tidak ada: semua sudah dibaca, tidak ada jawaban, tidak ada yang ditampilkan",
    }
    exit_usage { en: "the command line is wrong", id: "baris perintahnya salah" }
    exit_text_refused {
        en: "the text is refused: empty, too long, or not UTF-8",
        id: "teksnya ditolak: kosong, terlalu panjang, atau bukan UTF-8",
    }
    exit_no_user { en: "no such user or room", id: "user atau ruang tidak ada" }
    exit_unreachable {
        en: "the server is not reachable; nothing was sent",
        id: "server tidak bisa dihubungi; tidak ada yang terkirim",
    }
    exit_internal { en: "the server failed", id: "server gagal" }
    exit_room_refused {
        en: "the room does not allow it, or cannot be created",
        id: "ruangnya tidak mengizinkan, atau tidak bisa dibuat",
    }
    exit_local_file {
        en: "a problem with a local file (session, history, input, output)",
        id: "masalah dengan file di sini (sesi, riwayat, masukan, keluaran)",
    }
    exit_try_again {
        en: "busy, or the outcome is not known: try again",
        id: "sibuk, atau hasilnya belum pasti: coba lagi",
    }
    exit_protocol { en: "the reply is not understood", id: "balasannya tidak dipahami" }
    exit_not_logged_in {
        en: "not logged in, or wrong password",
        id: "belum login, atau password salah",
    }
    exit_configuration {
        en: "the environment or the configuration is unusable (HOME, --exec, config.toml)",
        id: "environment atau konfigurasi tidak bisa dipakai (HOME, --exec, config.toml)",
    }
}
