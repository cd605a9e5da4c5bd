//! A request with everything that identifying oneself may need: challenges, credentials, tokens, second tries.
//!
//! The order is docker's. A credential that a registry refuses is said and left aside where everybody may read.

use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Url;

use super::auth::{self, Token, TokenKey, Way};
use super::challenge::{Challenge, challenges};
use super::endpoint::{Endpoint, Follow};
use super::outcome::Standing;
use super::trail::Trail;
use super::transport::{Call, Reply};
use crate::adapters::credentials::{Credential, CredentialKind, Lookup};
use crate::adapters::secret::Secret;
use crate::core::failure::RegistryFailure;

/// No honest registry needs more turns: learn the way, be refused, ask as everybody, renew a token.
const TURNS: usize = 6;
const TOKEN_LIMIT: usize = 1 << 20;

/// What is to be fetched.
pub(super) struct Errand<'a> {
    pub method: Method,
    /// Path and query below the registry's address.
    pub path: String,
    pub accept: Option<&'static str>,
    /// What a token must reach, as in `repository:me/app:pull`.
    pub scope: String,
    pub limit: usize,
    pub follow: Follow,
    /// For the words of a failure.
    pub purpose: &'a str,
    /// Send the body only if it is another.
    pub unless: Option<HeaderValue>,
}

/// An answer that was given to somebody known.
pub(super) struct Outcome {
    pub reply: Reply,
    pub standing: Standing,
    pub url: Url,
}

/// How the next turn identifies itself.
struct Identity {
    header: Option<HeaderValue>,
    standing: Standing,
    credential: Option<Credential>,
    key: Option<TokenKey>,
}

/// Why credentials that exist are not used in this errand.
#[derive(Default)]
struct Aside {
    names: Option<String>,
    hint: Option<String>,
}

impl Endpoint {
    /// Runs an errand to an answer that is neither 401, 403 nor a failure of the server.
    pub(super) async fn run(
        &self,
        trail: &Trail,
        errand: &Errand<'_>,
    ) -> Result<Outcome, RegistryFailure> {
        let since = Instant::now();
        // The first request learns how to ask; the others wait for what it learns.
        let mut discovery = None;
        if self.auth.way().is_none() {
            let guard = self.auth.discovery.lock().await;
            if self.auth.way().is_none() {
                discovery = Some(guard);
            }
        }
        let asked = self.asked(errand.purpose);
        let mut aside = Aside::default();
        let mut renewed = false;
        let mut scope = errand.scope.clone();
        for _ in 0..TURNS {
            let way = self.auth.way();
            let identity = self
                .identify(trail, errand, way.as_ref(), &scope, &mut aside, since)
                .await?;
            let url = self
                .url(&errand.path)
                .ok_or_else(|| asked.bad_reference("its address cannot be built"))?;
            let call = errand.call(url, identity.header.clone());
            let reply = self
                .transmit(trail, call, errand.follow, errand.purpose, since)
                .await?;
            match reply.status {
                StatusCode::UNAUTHORIZED => {}
                StatusCode::FORBIDDEN => {
                    if self.set_aside(&way, &identity, &mut aside).await {
                        continue;
                    }
                    return Err(asked.denied(&aside.blamed(identity.standing), 403, &reply.body));
                }
                status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                    return Err(asked.unexpected(&reply));
                }
                _ => {
                    if way.is_none() {
                        self.auth.learn(Way::Open);
                    }
                    match (&identity.standing, &aside.names) {
                        (Standing::Named(name), _) => trail.credential(name),
                        (_, Some(name)) => trail.remark(format!(
                            "{} refuses the credentials {name}; asked without them",
                            self.registry
                        )),
                        _ => {}
                    }
                    let url = self
                        .url(&errand.path)
                        .ok_or_else(|| asked.bad_reference("its address cannot be built"))?;
                    return Ok(Outcome {
                        reply,
                        standing: identity.standing,
                        url,
                    });
                }
            }
            let offers = challenges(&reply.headers);
            let offered = Way::choose(&offers);
            if offered.is_some() && offered != way {
                // Not known before, or not asked for before: from now on this way.
                self.auth.learn(offered.clone().unwrap_or(Way::Open));
                drop(discovery.take());
                if let Some(told) = bearer_param(&offers, "scope") {
                    scope = told.to_owned();
                }
                continue;
            }
            if let Some(key) = &identity.key {
                let error = bearer_param(&offers, "error").unwrap_or_default();
                if error == "insufficient_scope" {
                    return Err(asked.denied(&aside.blamed(identity.standing), 401, &reply.body));
                }
                let told = bearer_param(&offers, "scope").unwrap_or(&scope);
                if !renewed && (error == "invalid_token" || told != scope) {
                    renewed = true;
                    scope = told.to_owned();
                    *self.auth.place(key).lock().await = None;
                    continue;
                }
                if self.set_aside(&way, &identity, &mut aside).await {
                    continue;
                }
            } else if let Some(credential) = &identity.credential {
                self.auth.refuse(credential).await;
            }
            let standing = aside.blamed(identity.standing);
            return Err(asked.unauthorized(&standing, aside.hint.as_deref()));
        }
        Err(asked.unauthorized(&Standing::Open, Some("it asks again and again")))
    }

    /// Decides how to identify in this turn.
    async fn identify(
        &self,
        trail: &Trail,
        errand: &Errand<'_>,
        way: Option<&Way>,
        scope: &str,
        aside: &mut Aside,
        since: Instant,
    ) -> Result<Identity, RegistryFailure> {
        let open = Identity {
            header: None,
            standing: Standing::Open,
            credential: None,
            key: None,
        };
        match way {
            None | Some(Way::Open) => Ok(open),
            Some(Way::Basic) => {
                let Some(credential) = self.credential(trail, aside).await else {
                    return Ok(open);
                };
                let standing = Standing::Named(credential.name.clone());
                if self.auth.is_refused(&credential) {
                    // Sending it once more could lock the account.
                    return Err(self.asked(errand.purpose).unauthorized(&standing, None));
                }
                Ok(Identity {
                    header: auth::header_of(&credential),
                    standing,
                    credential: Some(credential),
                    key: None,
                })
            }
            Some(Way::Bearer { realm, service }) => {
                let mut credential = self.credential(trail, aside).await;
                if let Some(own) = &credential
                    && self.auth.is_refused(own)
                {
                    aside.names = Some(own.name.clone());
                    credential = None;
                }
                if aside.names.is_some() {
                    credential = None;
                }
                loop {
                    let key = TokenKey {
                        realm: realm.clone(),
                        service: service.clone(),
                        scope: scope.to_owned(),
                        credential: credential.as_ref().map(|own| own.name.clone()),
                    };
                    let token = self
                        .token(trail, &key, credential.as_ref(), errand.purpose, since)
                        .await?;
                    let standing = match &credential {
                        Some(own) => Standing::Named(own.name.clone()),
                        None => Standing::Anonymous,
                    };
                    match (token, credential) {
                        (Ok(secret), credential) => {
                            return Ok(Identity {
                                header: auth::bearer(&secret),
                                standing,
                                credential,
                                key: Some(key),
                            });
                        }
                        (Err(_), Some(own)) => {
                            self.auth.refuse(&own).await;
                            aside.names = Some(own.name.clone());
                            credential = None;
                        }
                        (Err(reply), None) => {
                            let asked = self.asked(errand.purpose);
                            if let Some(refused) = &aside.names {
                                let standing = Standing::Named(refused.clone());
                                return Err(asked.unauthorized(&standing, None));
                            }
                            let status = reply.status.as_u16();
                            return Err(match reply.status {
                                StatusCode::FORBIDDEN => {
                                    asked.denied(&standing, status, &reply.body)
                                }
                                _ => asked.unauthorized(&standing, aside.hint.as_deref()),
                            });
                        }
                    }
                }
            }
        }
    }

    /// Leaves a credential aside that reaches less than everybody may, and tells whether that is worth a try.
    async fn set_aside(&self, way: &Option<Way>, identity: &Identity, aside: &mut Aside) -> bool {
        let Some(credential) = &identity.credential else {
            return false;
        };
        if !matches!(way, Some(Way::Bearer { .. })) || aside.names.is_some() {
            return false;
        }
        aside.names = Some(credential.name.clone());
        true
    }

    async fn credential(&self, trail: &Trail, aside: &mut Aside) -> Option<Credential> {
        match self.auth.credential().await {
            Lookup::Found(credential) => Some(credential),
            Lookup::None => None,
            Lookup::Failed(why) => {
                trail.remark(format!("asked without credentials: {why}"));
                aside.hint = Some(why);
                None
            }
        }
    }

    /// Returns a token, fetched at most once for all who need the same; or the server's refusal.
    async fn token(
        &self,
        trail: &Trail,
        key: &TokenKey,
        credential: Option<&Credential>,
        purpose: &str,
        since: Instant,
    ) -> Result<Result<Secret, Reply>, RegistryFailure> {
        let place = self.auth.place(key);
        let mut held = place.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.is_fresh()) {
            return Ok(Ok(token.secret.clone()));
        }
        let asked = self.asked(purpose);
        if !self.may_identify_at(&key.realm) {
            return Err(asked.elsewhere(&format!(
                "it names a token server without https, {}",
                crate::core::text::clean_within(&key.realm.origin().ascii_serialization(), 100)
            )));
        }
        let call = token_call(key, credential);
        let reply = self
            .transmit(trail, call, Follow::SameOrigin, purpose, since)
            .await?;
        match reply.status {
            status if status.is_success() => {
                let token = Token::read(&reply.body)
                    .ok_or_else(|| asked.lied("its token server answers without a token"))?;
                let secret = token.secret.clone();
                *held = Some(token);
                Ok(Ok(secret))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                Ok(Err(reply))
            }
            _ => Err(asked.unexpected(&reply)),
        }
    }
}

impl Aside {
    /// Names the one whose refusal led here, even if everybody was asked for last.
    fn blamed(&self, last: Standing) -> Standing {
        match &self.names {
            Some(name) => Standing::Named(name.clone()),
            None => last,
        }
    }
}

impl Errand<'_> {
    fn call(&self, url: Url, authorization: Option<HeaderValue>) -> Call {
        let mut headers = HeaderMap::new();
        if let Some(accept) = self.accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        if let Some(known) = &self.unless {
            headers.insert(IF_NONE_MATCH, known.clone());
        }
        Call {
            method: self.method.clone(),
            url,
            headers,
            body: None,
            limit: self.limit,
        }
    }
}

/// Makes the request for a token: a GET with user and password, or a POST with an identity token.
fn token_call(key: &TokenKey, credential: Option<&Credential>) -> Call {
    let mut headers = HeaderMap::new();
    let mut url = key.realm.clone();
    let scopes = key.scope.split(' ').filter(|scope| !scope.is_empty());
    if let Some(CredentialKind::Identity(token)) = credential.map(|own| &own.kind) {
        // The form's coding is that of a query.
        let mut form = key.realm.clone();
        form.set_query(None);
        form.query_pairs_mut()
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", "homelab-tui")
            .append_pair("service", key.service.as_deref().unwrap_or_default())
            .append_pair("scope", &key.scope)
            .append_pair("refresh_token", token.expose());
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        return Call {
            method: Method::POST,
            url,
            headers,
            body: Some(Bytes::from(form.query().unwrap_or_default().to_owned())),
            limit: TOKEN_LIMIT,
        };
    }
    {
        let mut pairs = url.query_pairs_mut();
        if let Some(service) = &key.service {
            pairs.append_pair("service", service);
        }
        for scope in scopes {
            pairs.append_pair("scope", scope);
        }
    }
    if let Some(header) = credential.and_then(auth::header_of) {
        headers.insert(AUTHORIZATION, header);
    }
    Call {
        method: Method::GET,
        url,
        headers,
        body: None,
        limit: TOKEN_LIMIT,
    }
}

fn bearer_param<'a>(offers: &'a [Challenge], name: &str) -> Option<&'a str> {
    offers
        .iter()
        .filter(|offer| offer.scheme == "bearer")
        .find_map(|offer| offer.param(name))
}
