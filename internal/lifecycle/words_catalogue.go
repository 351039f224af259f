package lifecycle

import "database/sql/driver"

// Words of the catalogue and of who consumes it.

// APIStatus is the status of an API in the catalogue.
type APIStatus string

// Values of APIStatus.
const (
	APIDeprecated APIStatus = "DEPRECATED" // Still usable, but new subscriptions are refused.
	APIDraft      APIStatus = "DRAFT"      // Not visible to consumers yet.
	APIPublished  APIStatus = "PUBLISHED"  // Visible and open for subscriptions.
	APIRetired    APIStatus = "RETIRED"    // No longer usable.
)

// AllAPIStatus lists the values of APIStatus.
func AllAPIStatus() []APIStatus {
	return []APIStatus{
		APIDeprecated,
		APIDraft,
		APIPublished,
		APIRetired,
	}
}

// IsValid reports whether the value is one of the set.
func (e APIStatus) IsValid() bool { return isOneOf(e, AllAPIStatus()) }

// Scan implements sql.Scanner.
func (e *APIStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e APIStatus) Value() (driver.Value, error) { return enumValue(e) }

// ApplicationStatus is the status of an application.
type ApplicationStatus string

// Values of ApplicationStatus.
const (
	ApplicationActive    ApplicationStatus = "ACTIVE"    // Usable.
	ApplicationSuspended ApplicationStatus = "SUSPENDED" // All key sets of the application are suspended.
)

// AllApplicationStatus lists the values of ApplicationStatus.
func AllApplicationStatus() []ApplicationStatus {
	return []ApplicationStatus{
		ApplicationActive,
		ApplicationSuspended,
	}
}

// IsValid reports whether the value is one of the set.
func (e ApplicationStatus) IsValid() bool { return isOneOf(e, AllApplicationStatus()) }

// Scan implements sql.Scanner.
func (e *ApplicationStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e ApplicationStatus) Value() (driver.Value, error) { return enumValue(e) }

// APISubscriptionStatus is the status of a subscription.
type APISubscriptionStatus string

// Values of APISubscriptionStatus.
const (
	SubscriptionActive    APISubscriptionStatus = "ACTIVE"    // The application may consume the API.
	SubscriptionCanceled  APISubscriptionStatus = "CANCELED"  // Ended by the consumer or the provider.
	SubscriptionPending   APISubscriptionStatus = "PENDING"   // Waits for an approval.
	SubscriptionRejected  APISubscriptionStatus = "REJECTED"  // The approval was refused.
	SubscriptionSuspended APISubscriptionStatus = "SUSPENDED" // Temporarily stopped.
)

// AllAPISubscriptionStatus lists the values of APISubscriptionStatus.
func AllAPISubscriptionStatus() []APISubscriptionStatus {
	return []APISubscriptionStatus{
		SubscriptionActive,
		SubscriptionCanceled,
		SubscriptionPending,
		SubscriptionRejected,
		SubscriptionSuspended,
	}
}

// IsValid reports whether the value is one of the set.
func (e APISubscriptionStatus) IsValid() bool { return isOneOf(e, AllAPISubscriptionStatus()) }

// Scan implements sql.Scanner.
func (e *APISubscriptionStatus) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e APISubscriptionStatus) Value() (driver.Value, error) { return enumValue(e) }

// GatewayDialect is what software a gateway runs. It decides which headers of a request for authorization are the
// gateway's own words; all others may be its client's.
type GatewayDialect string

// Values of GatewayDialect.
const (
	DialectCaddy   GatewayDialect = "CADDY"   // Caddy with forward_auth.
	DialectEnvoy   GatewayDialect = "ENVOY"   // Envoy with ext_authz, over gRPC or HTTP.
	DialectGeneric GatewayDialect = "GENERIC" // Anything else: no header but the credential is read.
	DialectHAProxy GatewayDialect = "HAPROXY" // HAProxy with a Lua action.
	DialectNGINX   GatewayDialect = "NGINX"   // nginx with auth_request.
	DialectTraefik GatewayDialect = "TRAEFIK" // Traefik with ForwardAuth.
)

// AllGatewayDialect lists the values of GatewayDialect.
func AllGatewayDialect() []GatewayDialect {
	return []GatewayDialect{
		DialectCaddy,
		DialectEnvoy,
		DialectGeneric,
		DialectHAProxy,
		DialectNGINX,
		DialectTraefik,
	}
}

// IsValid reports whether the value is one of the set.
func (e GatewayDialect) IsValid() bool { return isOneOf(e, AllGatewayDialect()) }

// Scan implements sql.Scanner.
func (e *GatewayDialect) Scan(src any) error { return scanEnum(e, src) }

// Value implements driver.Valuer.
func (e GatewayDialect) Value() (driver.Value, error) { return enumValue(e) }
