//! `chat-cli mcp`: what its errors say. The descriptions of its tools are for programs.

texts! {
    by_hand {
        en: "this command is for programs that speak the Model Context Protocol; Ctrl-D ends it",
        id: "perintah ini untuk program yang memakai Model Context Protocol; Ctrl-D mengakhirinya",
    }
    not_json(error) { en: "not JSON: {error}", id: "bukan JSON: {error}" }
    no_request { en: "not a request of JSON-RPC 2.0", id: "bukan permintaan JSON-RPC 2.0" }
    params_no_object { en: "params is not an object", id: "params bukan objek" }
    line_longer_than(max) {
        en: "the line has more than {max} bytes",
        id: "barisnya lebih dari {max} byte",
    }
    no_method(method) { en: "there is no method {method}", id: "tidak ada metode {method}" }
    no_tool(name) { en: "there is no tool {name}", id: "tidak ada alat {name}" }
    no_tool_named { en: "name is missing", id: "name tidak ada" }
    no_such_page { en: "there is no such page", id: "tidak ada halaman seperti itu" }
    give_range(min, max) { en: "give {min} to {max}", id: "isi {min} sampai {max}" }
    no_object { en: "not an object", id: "bukan objek" }
    only_for_wait { en: "only wait has it", id: "hanya untuk wait" }
    only_in_a_room { en: "only a room has it", id: "hanya untuk ruang" }
    with_or_thread {
        en: "give with or thread, not both",
        id: "pilih with atau thread, bukan keduanya",
    }
    too_many_calls(max) {
        en: "{max} calls are running already",
        id: "{max} panggilan sudah berjalan",
    }
    wait_for_a_call { en: "wait for one of them to end", id: "tunggu salah satunya selesai" }
    not_your_question(id) {
        en: "message {id} is no question of yours",
        id: "pesan {id} bukan pertanyaanmu",
    }
    give_a_ticket { en: "give a ticket of ask", id: "isi tiket dari ask" }
}
