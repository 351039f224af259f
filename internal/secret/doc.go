// Package secret holds everything that knows a secret in clear or can make
// one: the form of a credential, its digest, its sealed copy, and the server
// secret all of these depend on.
//
// # What a credential looks like
//
//	kw_4fQ0Zc81LmXt9aRs_Vb3…Yq0aX9k2d
//	└┬┘└──────┬───────┘ └──┬──┘└─┬──┘
//	prefix    id        secret checksum
//
// Prefix and id are public: they may stand in logs, mails and lists. The
// secret is 32 base62 characters, 190 bits. The checksum is the CRC-32 of
// everything before it, so a mistyped, cut or invented key is refused without
// asking anybody, and a secret scanner can tell a key from noise. Only
// [0-9A-Za-z_] occur, so a double click selects the whole.
//
// A user name with password and a client id with client secret are the same
// string cut in two: the public id is the name, secret and checksum are the
// password. [Join] puts the halves together, and from there on every type of
// credential has one parse and one digest.
//
// # What is kept where
//
//	server secret   a file beside the configuration, mode 0600; never in a database, cache or backup of one
//	digest          database and Redis: HMAC-SHA-256 of the whole credential under the server secret
//	sealed value    database, one table: only for credentials that may be read again
//	data key        database, another table: wrapped under the server secret, one per sealed value
//	plain text      nowhere; in memory while a request that needs it runs, inside a [Text]
//
// # What a leak gives away
//
// Database, Redis, or both: public ids and hints. A digest cannot be turned
// back (190 unknown bits), cannot be checked against guesses without the
// server secret, and presented as a key it is a string of the wrong form (T15).
// Sealed values and their data keys open only with the server secret.
//
// The server secret file alone: no credential. Who has it can neither list nor
// forge credentials without writing to the database, but can sign: an access
// token for an OAuth client whose ids are known, and the assertions that tell a
// service behind a gateway who calls. Such a token still ends with its key.
//
// The file and a copy of the database: sealed values whose data keys are in
// that copy can be read. Hashed credentials still cannot: guessing 190 bits is
// as hopeless with the server secret as without. The log's chain could be
// forged. Rotate the server secret and the sealed credentials.
//
// Deleting a wrapped data key destroys its value for good: sealed values found
// in an older copy of their table stay shut. An older copy that still
// holds the data keys does not; where the two tables are backed up apart, the
// data keys should be kept for the shorter time.
//
// # Changing the server secret
//
// The file holds several versions. [AddVersion] appends one, every node loads
// it, then [SetCurrent] makes it the one that is written with. In between both
// are accepted ([Keyring.Digests]), so no valid credential is ever refused
// . From each version and for each purpose a subkey is derived by
// HKDF-SHA-256; the versions themselves are used for nothing else, so what one
// purpose gives away says nothing about another.
package secret
