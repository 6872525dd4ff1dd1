//! One GET, of which only the status matters.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Attempt;
use crate::config::HttpTarget;

/// Longest status line and headers that are read.
const MAX_HEAD: usize = 64 * 1024;

/// One attempt. While the port is closed it is only a connection attempt.
pub(super) async fn attempt(target: &HttpTarget, expect_status: Option<u16>) -> Attempt {
    let Ok(stream) = super::connect(Some(&target.host), target.port).await else {
        return Attempt::Closed;
    };
    match status(target, stream).await {
        Ok(status) if expect_status.map_or((200..300).contains(&status), |expected| status == expected) => {
            Attempt::Passed
        }
        _ => Attempt::Otherwise,
    }
}

async fn status(target: &HttpTarget, stream: TcpStream) -> io::Result<u16> {
    if !target.https {
        return exchange(target, stream).await;
    }
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls::unverified()?));
    let host = target
        .host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = rustls::pki_types::ServerName::try_from(host).map_err(io::Error::other)?;
    exchange(target, connector.connect(name, stream).await?).await
}

async fn exchange(target: &HttpTarget, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<u16> {
    let default_port = if target.https { 443 } else { 80 };
    let port = if target.port == default_port {
        String::new()
    } else {
        format!(":{}", target.port)
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}{port}\r\nUser-Agent: agentbox-probe/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        target.path_and_query,
        target.host,
        env!("CARGO_PKG_VERSION"),
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 0];
        let mut response = httparse::Response::new(&mut headers);
        // The status line is enough; "too many headers" comes after it has been read.
        match response.parse(&head) {
            Ok(_) | Err(httparse::Error::TooManyHeaders) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
        match response.code {
            // An interim response; the final one follows.
            Some(100..200) => {
                let end = head.windows(4).position(|window| window == b"\r\n\r\n");
                if let Some(end) = end {
                    head.drain(..end + 4);
                    continue;
                }
            }
            Some(code) => return Ok(code),
            None => {}
        }
        if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// TLS to a service in the same box, whose certificate nobody has signed.
mod tls {
    use std::io;
    use std::sync::Arc;

    use ring::rand::SecureRandom as _;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::ring::{DEFAULT_CIPHER_SUITES, DEFAULT_KX_GROUPS};
    use rustls::crypto::{
        CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
    };
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
    use rustls::sign::SigningKey;
    use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

    /// What servers may sign with; nobody looks whether they did it right.
    const SCHEMES: [SignatureScheme; 10] = [
        SignatureScheme::ED25519,
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ECDSA_NISTP521_SHA512,
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_SHA512,
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PKCS1_SHA384,
        SignatureScheme::RSA_PKCS1_SHA512,
    ];

    pub(super) fn unverified() -> io::Result<ClientConfig> {
        // Not the library's own set: signatures are neither made nor checked here, and the code for it is large.
        let provider = CryptoProvider {
            cipher_suites: DEFAULT_CIPHER_SUITES.to_vec(),
            kx_groups: DEFAULT_KX_GROUPS.to_vec(),
            signature_verification_algorithms: WebPkiSupportedAlgorithms {
                all: &[],
                mapping: &[],
            },
            secure_random: &Random,
            key_provider: &NoKeys,
        };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        Ok(config)
    }

    #[derive(Debug)]
    struct Random;

    impl SecureRandom for Random {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
            ring::rand::SystemRandom::new()
                .fill(buffer)
                .map_err(|_| GetRandomFailed)
        }
    }

    #[derive(Debug)]
    struct NoKeys;

    impl KeyProvider for NoKeys {
        fn load_private_key(&self, _key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
            Err(Error::General("a probe has no key".to_owned()))
        }
    }

    #[derive(Debug)]
    struct AnyCertificate;

    impl ServerCertVerifier for AnyCertificate {
        fn verify_server_cert(
            &self,
            _end_entity: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _server_name: &ServerName<'_>,
            _ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            SCHEMES.to_vec()
        }
    }
}
