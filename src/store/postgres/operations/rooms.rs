//! Rooms.

use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, Query, WriteContext};
use crate::store::postgres::session::Session;
use crate::store::types::rooms::{
    ArchiveRoom, CreateRoom, FindRoom, InviteToRoom, JoinRoom, KickFromRoom, LeaveRoom,
    ListMembers, ListRooms, SetRoom,
};

const NOT_YET: Error = Error::Unexpected("this engine has no rooms yet");

macro_rules! not_yet {
    (write: $($write:ty)*; read: $($read:ty)*) => {
        $(impl Apply for $write {
            fn apply(&self, _: &mut WriteContext<'_>) -> Result<Self::Answer> {
                Err(NOT_YET)
            }
        })*
        $(impl Query for $read {
            fn query(&self, _: &mut Session) -> Result<Self::Answer> {
                Err(NOT_YET)
            }
        })*
    };
}

not_yet! {
    write: CreateRoom JoinRoom LeaveRoom InviteToRoom KickFromRoom SetRoom ArchiveRoom;
    read: ListRooms FindRoom ListMembers
}
