//! S3: stores from the usual environment, and plain addresses of objects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, HeaderValue, RetryConfig};
use url::Url;

use crate::policy::{HostPolicy, Timeouts};
use crate::source::redact;
use crate::{Error, ErrorKind};

/// How S3 is reached: region, endpoint and credentials come from the `AWS_*` variables.
///
/// `AWS_ENDPOINT_URL=http://…` is enough to talk to a local store: an endpoint given as http allows http, and
/// without credentials in the environment its requests are not signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct S3Options {
    /// Requests are not signed: public buckets (`--no-sign-request`).
    pub anonymous: bool,
    /// Instead of `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// Instead of `AWS_REGION`.
    pub region: Option<String>,
}

impl S3Options {
    /// Requests are not signed: for public buckets.
    pub fn anonymous() -> Self {
        Self { anonymous: true, ..Self::default() }
    }

    /// The store of a bucket, with an idle limit instead of a time limit for a whole request, and checksums on
    /// what is written.
    ///
    /// # Errors
    ///
    /// The environment makes no configuration.
    pub(crate) fn store(
        &self,
        bucket: &str,
        hosts: &HostPolicy,
        timeouts: &Timeouts,
    ) -> Result<AmazonS3, Error> {
        self.builder(bucket, hosts, timeouts)
            .build()
            .map_err(|e| Error::usage(format!("s3://{bucket}"), redact(&e.to_string())))
    }

    fn builder(&self, bucket: &str, hosts: &HostPolicy, timeouts: &Timeouts) -> AmazonS3Builder {
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint).with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        let http = endpoint(&builder).is_some_and(|endpoint| endpoint.starts_with("http://"));
        if self.anonymous || (http && !has_credentials(&builder)) {
            builder = builder.with_skip_signature(true);
        }
        let mut client = ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(timeouts.connect)
            .with_read_timeout(timeouts.first_byte.max(timeouts.idle));
        if let Ok(agent) = HeaderValue::from_str(&hosts.user_agent) {
            client = client.with_user_agent(agent);
        }
        // Set in the environment, it counts.
        let key = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
        if http || builder.get_config_value(&key).is_some_and(|value| value == "true") {
            client = client.with_allow_http(true);
        }
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(30), ..BackoffConfig::default() },
            max_retries: 8,
            retry_timeout: Duration::from_secs(240),
        };
        if builder.get_config_value(&AmazonS3ConfigKey::Checksum).is_none_or(|value| value.is_empty()) {
            // The store checks the CRC, which is among the signed headers. Signing the bytes as well would hash all
            // of them with SHA-256 a second time, which takes longer than everything else.
            builder = builder.with_checksum_algorithm(Checksum::CRC64NVME).with_unsigned_payload(true);
        }
        builder.with_client_options(client).with_retry(retry)
    }
}

fn endpoint(builder: &AmazonS3Builder) -> Option<String> {
    let value = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
    value(AmazonS3ConfigKey::S3Endpoint).or_else(|| value(AmazonS3ConfigKey::Endpoint))
}

fn has_credentials(builder: &AmazonS3Builder) -> bool {
    [
        AmazonS3ConfigKey::AccessKeyId,
        AmazonS3ConfigKey::WebIdentityTokenFile,
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
    ]
    .iter()
    .any(|key| builder.get_config_value(key).is_some_and(|value| !value.is_empty()))
}

/// Addresses of objects, signed where there are credentials, so that S3 is one HTTP origin among others.
#[derive(Debug)]
pub(crate) struct Objects {
    options: S3Options,
    hosts: HostPolicy,
    timeouts: Timeouts,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Debug)]
struct Bucket {
    /// Ends with a slash.
    base: Url,
    signer: Option<Arc<AmazonS3>>,
}

/// An address signed for so long is not kept longer than a request.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

impl Objects {
    pub(crate) fn new(options: &S3Options, hosts: &HostPolicy, timeouts: &Timeouts) -> Self {
        let (options, hosts, timeouts) = (options.clone(), hosts.clone(), timeouts.clone());
        Self { options, hosts, timeouts, buckets: Mutex::default() }
    }

    /// The address of an object without signature: it tells the host.
    pub(crate) fn plain(&self, bucket: &str, key: &str) -> Result<Url, Error> {
        let mut url = self.bucket(bucket)?.base;
        let wrong = || Error::usage(format!("s3://{bucket}"), "no address of objects");
        url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(key.split('/'));
        // Some servers take a plus in a path for a space.
        let path = url.path().replace('+', "%2B");
        url.set_path(&path);
        Ok(url)
    }

    /// The address of an object with all that it takes to read it now.
    pub(crate) async fn address(&self, bucket: &str, key: &str) -> Result<Url, Error> {
        let Some(signer) = self.bucket(bucket)?.signer else { return self.plain(bucket, key) };
        let place = format!("s3://{bucket}/{key}");
        let path = Path::parse(key).map_err(|e| Error::usage(&place, e))?;
        signer.signed_url(reqwest::Method::GET, &path, SIGNED_FOR).await.map_err(|e| {
            Error::new(ErrorKind::Transient, &place, format!("no credentials: {}", redact(&e.to_string())))
        })
    }

    fn bucket(&self, name: &str) -> Result<Bucket, Error> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(name) {
            return Ok(bucket.clone());
        }
        let builder = self.options.builder(name, &self.hosts, &self.timeouts);
        let value = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
        let region = value(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
        let base = match endpoint(&builder) {
            Some(endpoint) => format!("{}/{name}/", endpoint.trim_end_matches('/')),
            // A dot in the name breaks the certificate of the short form.
            None if name.contains('.') => format!("https://s3.{region}.amazonaws.com/{name}/"),
            None => format!("https://{name}.s3.{region}.amazonaws.com/"),
        };
        let base = Url::parse(&base).map_err(|e| Error::usage(redact(&base), e))?;
        let anonymous = value(AmazonS3ConfigKey::SkipSignature).is_some_and(|skip| skip == "true");
        let signer = if anonymous {
            None
        } else {
            Some(Arc::new(self.options.store(name, &self.hosts, &self.timeouts)?))
        };
        let bucket = Bucket { base, signer };
        buckets.insert(name.to_owned(), bucket.clone());
        Ok(bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(endpoint: Option<&str>) -> Objects {
        let options = S3Options {
            anonymous: true,
            endpoint: endpoint.map(str::to_owned),
            region: Some("us-west-2".to_owned()),
        };
        Objects::new(&options, &HostPolicy::default(), &Timeouts::default())
    }

    #[test]
    fn addresses_of_public_objects() {
        for (endpoint, bucket, key, address) in [
            (None, "desidata", "a/b c.fits", "https://desidata.s3.us-west-2.amazonaws.com/a/b%20c.fits"),
            (None, "a.b", "c", "https://s3.us-west-2.amazonaws.com/a.b/c"),
            (Some("http://127.0.0.1:8333"), "b", "c/d#?%", "http://127.0.0.1:8333/b/c/d%23%3F%25"),
            (Some("https://s3.example.org/"), "b", "c+d", "https://s3.example.org/b/c%2Bd"),
        ] {
            assert_eq!(objects(endpoint).plain(bucket, key).unwrap().as_str(), address);
        }
    }
}
