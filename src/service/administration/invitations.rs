//! Makes, lists and revokes invitations by link.

use std::sync::Arc;
use std::time::Duration;

use super::super::Service;
use super::users::reserved;
use super::{AdminResponder, failure};
use crate::admin::answer::{AdminReply, Code, HeldInvitation, Invited, Refusal};
use crate::admin::request::{INVITATION_ROOMS_MAX, Invite, RevokedInvitations};
use crate::model::{INVITATION_SECONDS_MAX, InvitationId, InvitationSecret, RoomName};
use crate::store::{
    CreateInvitation, CreatedInvitation, INVITATIONS_MAX, ListInvitations, ListedInvitation,
    RevokeInvitations,
};

/// The maximum number of invitations in one reply: each has at most 64 names.
const INVITATIONS_PER_ANSWER_MAX: usize = 500;

impl Service {
    /// Makes an invitation. The answer has the only copy of the secret.
    pub(super) fn make_invitation(&self, invite: Invite, responder: AdminResponder) {
        let Invite { user: name, mut rooms, expires_in } = invite;
        rooms.sort_unstable();
        rooms.dedup();
        if rooms.len() > INVITATION_ROOMS_MAX || !(1..=INVITATION_SECONDS_MAX).contains(&expires_in)
        {
            let message = format!(
                "give at most {INVITATION_ROOMS_MAX} rooms, and 1 to {INVITATION_SECONDS_MAX} s"
            );
            return responder.answer(Err(Refusal::new(Code::BadRequest, message)));
        }
        if let Some(refused) = name.as_ref().and_then(reserved) {
            return responder.answer(Err(refused));
        }
        let secret = InvitationSecret::generate();
        let create = CreateInvitation {
            hash: secret.hash(),
            name: name.clone(),
            rooms,
            now: self.now(),
            lifetime: Duration::from_secs(expires_in),
        };
        self.store.write(create, move |created| {
            responder.answer(match created {
                Ok(CreatedInvitation::Yes { id, expires_at }) => {
                    tracing::info!(invitation = id.0, "invitation made");
                    Ok(AdminReply::Invited(Invited { id, secret, expires_at }))
                }
                Ok(CreatedInvitation::NameTaken) => {
                    let name = name.map(|name| name.to_string()).unwrap_or_default();
                    let message = format!("there is a user {name} already");
                    Err(Refusal::new(Code::NameTaken, message))
                }
                Ok(CreatedInvitation::TooMany) => {
                    let message = format!("there are {INVITATIONS_MAX} open invitations");
                    Err(Refusal::new(Code::TooManyInvitations, message))
                }
                Ok(CreatedInvitation::UnknownRooms(unknown)) => {
                    let names: Vec<&str> = unknown.iter().map(RoomName::as_str).collect();
                    let message =
                        format!("there is no room {}, or it is archived", names.join(", "));
                    Err(Refusal::new(Code::UnknownRoom, message))
                }
                Err(error) => Err(failure(error)),
            });
        });
    }

    pub(super) fn list_invitations(&self, after: Option<InvitationId>, responder: AdminResponder) {
        let after = after.unwrap_or(InvitationId(0));
        let list = ListInvitations { after, max: INVITATIONS_PER_ANSWER_MAX, now: self.now() };
        self.store.read(list, move |found| {
            responder.answer(found.map_err(failure).map(|(invitations, more)| {
                let invitations = invitations.into_iter().map(held).collect();
                AdminReply::Invitations { invitations, more }
            }));
        });
    }

    pub(super) fn revoke_invitations(
        self: &Arc<Self>,
        which: RevokedInvitations,
        responder: AdminResponder,
    ) {
        let id = match which {
            RevokedInvitations::Only(id) => Some(id),
            RevokedInvitations::All => None,
        };
        let revoke = RevokeInvitations { id, now: self.now() };
        self.store.write(revoke, move |revoked| {
            responder.answer(match (revoked, id) {
                (Ok(0), Some(InvitationId(id))) => {
                    let message = format!("there is no open invitation {id}");
                    Err(Refusal::new(Code::UnknownInvitation, message))
                }
                (Ok(invitations), _) => {
                    tracing::info!(invitations, "invitations revoked");
                    Ok(AdminReply::InvitationsRevoked { invitations })
                }
                (Err(error), _) => Err(failure(error)),
            });
        });
    }
}

fn held(listed: ListedInvitation) -> HeldInvitation {
    let (used_by, used_at) = listed.used.unzip();
    HeldInvitation {
        id: listed.id,
        user: listed.name,
        rooms: listed.rooms,
        created_at: listed.created_at,
        expires_at: listed.expires_at,
        used_by,
        used_at,
    }
}
