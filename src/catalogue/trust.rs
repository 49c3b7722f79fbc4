//! The texts of `chat-cli` about TLS: why a server is not trusted, and the output of `trust`.

texts! {
    // Why there is no encrypted connection
    no_tls(address) { en: "there is no TLS at {address}", id: "tidak ada TLS di {address}" }
    give_tls_port {
        en: "give the server's TLS port; or, if the network is safe, its plain port without chats://",
        id: "beri port TLS server itu; atau, jika jaringannya aman, port biasanya tanpa chats://",
    }
    give_chats {
        en: "the server speaks TLS there: give --server chats://HOST:PORT",
        id: "server memakai TLS di sana: beri --server chats://HOST:PORT",
    }
    not_trusted(address, reason) {
        en: "{address} is not trusted: {reason}",
        id: "{address} tidak dipercaya: {reason}",
    }
    tls_failed(address, reason) {
        en: "no TLS with {address}: {reason}",
        id: "TLS dengan {address} gagal: {reason}",
    }

    // Why a certificate is not trusted
    expired(day) {
        en: "its certificate expired on {day}",
        id: "sertifikatnya kedaluwarsa sejak {day}",
    }
    renew {
        en: "the operator must renew it; if the day is wrong, set this machine's clock",
        id: "operator harus memperbaruinya; jika tanggalnya salah, atur jam mesin ini",
    }
    not_yet(day) {
        en: "its certificate is valid only from {day}",
        id: "sertifikatnya baru berlaku mulai {day}",
    }
    set_clock { en: "set this machine's clock, or wait", id: "atur jam mesin ini, atau tunggu" }
    no_name { en: "no name", id: "tanpa nama" }
    for_other_name(names, host) {
        en: "its certificate is for {names}, not for {host}",
        id: "sertifikatnya untuk {names}, bukan untuk {host}",
    }
    give_name_or(pin) {
        en: "give a name that the certificate is for; or {pin}",
        id: "beri nama yang ada di sertifikatnya; atau {pin}",
    }
    unknown_authority(issuer) {
        en: "no trusted authority has signed its certificate (issuer: {issuer})",
        id: "sertifikatnya tidak ditandatangani otoritas yang dipercaya (penerbit: {issuer})",
    }
    pin_or_give_authority(pin) {
        en: "{pin}; or give the authority's certificate with --tls-ca FILE",
        id: "{pin}; atau beri sertifikat otoritasnya dengan --tls-ca FILE",
    }
    show_and_pin(host) {
        en: "`chat-cli trust {host}` shows the certificate, and pins it if you confirm",
        id: "`chat-cli trust {host}` menampilkan sertifikatnya, dan menyematkannya jika Anda mau",
    }
    certificate_refused(error) {
        en: "its certificate is refused: {error}",
        id: "sertifikatnya ditolak: {error}",
    }
    changed(pin, shown) {
        en: "its certificate is not the one that was pinned: it was {pin}, and is {shown}",
        id: "sertifikatnya bukan yang disematkan: dulu {pin}, sekarang {shown}",
    }
    ask_operator(host) {
        en: "the connection may be intercepted, so nothing was sent; ask the operator for the new fingerprint over another channel, and if it is the same: `chat-cli trust {host}`",
        id: "koneksinya mungkin disadap, jadi tidak ada yang dikirim; tanyakan sidik jari barunya kepada operator lewat jalan lain, dan jika sama: `chat-cli trust {host}`",
    }
    no_certificate_for(host) {
        en: "no certificate can contain the name {host}",
        id: "tidak mungkin ada sertifikat dengan nama {host}",
    }
    give_host_name {
        en: "give the server's host name, or its address",
        id: "beri nama host server, atau alamatnya",
    }
    no_authorities {
        en: "this system has no list of authorities to trust",
        id: "sistem ini tidak punya daftar otoritas yang dipercaya",
    }
    install_authorities(host) {
        en: "install the package ca-certificates, give --tls-ca FILE, or pin the server's own certificate: `chat-cli trust {host}`",
        id: "pasang paket ca-certificates, beri --tls-ca FILE, atau sematkan sertifikat server itu sendiri: `chat-cli trust {host}`",
    }
    give_authority {
        en: "--tls-ca (or CHAT_TLS_CA) takes a PEM file with an authority's certificate",
        id: "--tls-ca (atau CHAT_TLS_CA) diisi file PEM berisi sertifikat otoritas",
    }

    // The file of the pins
    known_servers_heading {
        en: "# Certificates pinned with `chat-cli trust`: HOST:PORT FINGERPRINT SINCE",
        id: "# Sertifikat yang disematkan dengan `chat-cli trust`: HOST:PORT SIDIK_JARI SEJAK",
    }
    line_not_understood(path, number) {
        en: "{path}: line {number} is invalid",
        id: "{path}: baris {number} tidak sah",
    }
    correct_line {
        en: "a line is HOST:PORT SHA256:FINGERPRINT TIME; correct or remove it",
        id: "satu baris berisi HOST:PORT SHA256:SIDIK_JARI WAKTU; perbaiki, atau hapus barisnya",
    }
    file_full(path) { en: "{path} is full", id: "{path} penuh" }
    forget_servers {
        en: "remove servers that no longer exist: `chat-cli trust --list`, `--remove HOST`",
        id: "hapus server yang sudah tidak ada: `chat-cli trust --list`, `--remove HOST`",
    }

    // trust
    which_server { en: "which server is meant?", id: "server yang mana?" }
    give_server {
        en: "chat-cli trust HOST, or --server chats://HOST",
        id: "chat-cli trust HOST, atau --server chats://HOST",
    }
    another_certificate(host, fingerprint) {
        en: "{host} has another certificate: {fingerprint}",
        id: "sertifikat {host} berbeda: {fingerprint}",
    }
    ask_which_is_right {
        en: "it was not pinned; ask the operator which one is right",
        id: "tidak disematkan; tanyakan kepada operator mana yang benar",
    }
    not_pinned { en: "not pinned", id: "tidak disematkan" }
    pinned(host) {
        en: "pinned: chats://{host} is trusted with this certificate, and with no other",
        id: "disematkan: chats://{host} dipercaya dengan sertifikat ini saja",
    }
    shows_none(host) {
        en: "{host} shows no certificate",
        id: "{host} tidak menunjukkan sertifikat",
    }
    shows_no_certificate(host) {
        en: "{host} shows something that is not a certificate",
        id: "yang ditunjukkan {host} bukan sertifikat",
    }
    give_fingerprint {
        en: "to pin it from a script, give --fingerprint with the one the operator told you",
        id: "untuk menyematkannya dari skrip, beri --fingerprint dengan yang disebutkan operator",
    }
    another_was_pinned {
        en: "ANOTHER certificate was pinned for this server. ",
        id: "Sertifikat LAIN sudah disematkan untuk server ini. ",
    }
    is_it_right {
        en: "Is this the fingerprint that the operator told you? Pin it? (yes/no) ",
        id: "Apakah ini sidik jari yang disebutkan operator? Sematkan? (ya/tidak) ",
    }
    yes { en: "yes", id: "ya" }
    no { en: "no", id: "tidak" }
    answer_not_read(error) {
        en: "cannot read the answer: {error}",
        id: "jawaban tidak bisa dibaca: {error}",
    }
    yes_this_one { en: "yes, this one", id: "ya, yang ini" }
    another_one(fingerprint) { en: "ANOTHER one: {fingerprint}", id: "yang LAIN: {fingerprint}" }
    from_to(begin, end) { en: "{begin} to {end}", id: "{begin} sampai {end}" }
    no_longer_pinned(host) {
        en: "{host} is no longer pinned",
        id: "{host} tidak lagi disematkan",
    }
    was_not_pinned(host) { en: "{host} was not pinned", id: "{host} memang tidak disematkan" }
    label_server { en: "server", id: "server" }
    label_fingerprint { en: "fingerprint", id: "sidik jari" }
    label_for { en: "for", id: "untuk" }
    label_subject { en: "subject", id: "subjek" }
    label_issuer { en: "issuer", id: "penerbit" }
    label_valid { en: "valid", id: "berlaku" }
    label_trusted { en: "trusted", id: "dipercaya" }
    label_pinned { en: "pinned", id: "disematkan" }
}
