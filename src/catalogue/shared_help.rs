//! The help that both programs have: what `clap` itself says, and the commands and options that are
//! the same.

/// The texts of a program's help: the English, and the same in Indonesian.
pub type Help = [(&'static str, &'static str)];

/// As [`client_help::HELP`](super::client_help::HELP), for both programs.
pub const HELP: &Help = &[
    // Of clap
    ("Print help", "Tampilkan bantuan"),
    ("Print help (see more with '--help')", "Tampilkan bantuan (lebih lengkap dengan '--help')"),
    ("Print help (see a summary with '-h')", "Tampilkan bantuan (ringkasnya dengan '-h')"),
    ("Print version", "Tampilkan versi"),
    (
        "Print this message or the help of the given subcommand(s)",
        "Tampilkan pesan ini atau bantuan untuk perintah yang disebut",
    ),
    ("Print help for the subcommand(s)", "Tampilkan bantuan untuk perintah yang disebut"),
    // The language
    (
        "The language of messages for people; also CHAT_LANG, else the locale",
        "Bahasa untuk teks yang dibaca orang; juga CHAT_LANG, atau locale",
    ),
    ("English", "Inggris"),
    ("Indonesian", "Indonesia"),
    // completions
    (
        "Print what a shell needs to complete this program's arguments",
        "Cetak yang dibutuhkan shell untuk melengkapi argumen program ini",
    ),
    ("Which shell", "Shell yang mana"),
    ("Bash, 4.4 or newer", "Bash, 4.4 atau lebih baru"),
    ("Zsh", "Zsh"),
    ("Fish", "Fish"),
];

texts! {
    completions_examples {
        en: "\
Prints a script for the shell to load. The package for Debian has installed them all.

Examples, with PROGRAM for the name of this program:
  PROGRAM completions bash > ~/.local/share/bash-completion/completions/PROGRAM
  PROGRAM completions zsh > \"${fpath[1]}/_PROGRAM\"
  PROGRAM completions fish > ~/.config/fish/completions/PROGRAM.fish",
        id: "\
Mencetak skrip untuk dimuat shell. Paket Debian sudah memasang semuanya.

Contoh, dengan PROGRAM sebagai nama program ini:
  PROGRAM completions bash > ~/.local/share/bash-completion/completions/PROGRAM
  PROGRAM completions zsh > \"${fpath[1]}/_PROGRAM\"
  PROGRAM completions fish > ~/.config/fish/completions/PROGRAM.fish",
    }
}
