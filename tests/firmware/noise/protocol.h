// What ESPHome's native API uses of the library noise-c, which comes from a registry that a test need not reach: the
// responder of Noise_NNpsk0_25519_ChaChaPoly_SHA256 (noiseprotocol.org), by OpenSSL. The client in the tests is the
// real one, with an implementation of its own.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdint>
#include <cstring>
#include <string>

enum {
  NOISE_ERROR_NONE,
  NOISE_ERROR_NO_MEMORY,
  NOISE_ERROR_UNKNOWN_ID,
  NOISE_ERROR_UNKNOWN_NAME,
  NOISE_ERROR_MAC_FAILURE,
  NOISE_ERROR_NOT_APPLICABLE,
  NOISE_ERROR_SYSTEM,
  NOISE_ERROR_REMOTE_KEY_REQUIRED,
  NOISE_ERROR_LOCAL_KEY_REQUIRED,
  NOISE_ERROR_PSK_REQUIRED,
  NOISE_ERROR_INVALID_LENGTH,
  NOISE_ERROR_INVALID_PARAM,
  NOISE_ERROR_INVALID_STATE,
  NOISE_ERROR_INVALID_NONCE,
  NOISE_ERROR_INVALID_PRIVATE_KEY,
  NOISE_ERROR_INVALID_PUBLIC_KEY,
  NOISE_ERROR_INVALID_FORMAT,
  NOISE_ERROR_INVALID_SIGNATURE,
};
enum { NOISE_ACTION_NONE, NOISE_ACTION_WRITE_MESSAGE, NOISE_ACTION_READ_MESSAGE, NOISE_ACTION_SPLIT };
enum { NOISE_PATTERN_NN, NOISE_CIPHER_CHACHAPOLY, NOISE_DH_CURVE25519, NOISE_DH_NONE, NOISE_HASH_SHA256 };
enum { NOISE_PREFIX_STANDARD, NOISE_MODIFIER_PSK0, NOISE_ROLE_RESPONDER };

struct NoiseProtocolId {
  int prefix_id, pattern_id, dh_id, cipher_id, hash_id, hybrid_id, modifier_ids[4];
};

struct NoiseBuffer {
  uint8_t *data;
  size_t size, max_size;
};

inline void noise_buffer_init(NoiseBuffer &b) { b = {}; }
inline void noise_buffer_set_input(NoiseBuffer &b, uint8_t *data, size_t size) { b = {data, size, size}; }
inline void noise_buffer_set_output(NoiseBuffer &b, uint8_t *data, size_t max) { b = {data, 0, max}; }
inline void noise_buffer_set_inout(NoiseBuffer &b, uint8_t *data, size_t size, size_t max) { b = {data, size, max}; }

namespace noise {

using Bytes = std::string;
constexpr size_t KEY = 32, MAC = 16;

inline Bytes bytes(const void *data, size_t size) { return Bytes(static_cast<const char *>(data), size); }
inline const uint8_t *raw(const Bytes &b) { return reinterpret_cast<const uint8_t *>(b.data()); }

inline Bytes sha256(const Bytes &data) {
  uint8_t out[KEY];
  EVP_Digest(data.data(), data.size(), out, nullptr, EVP_sha256(), nullptr);
  return bytes(out, KEY);
}

inline Bytes hmac(const Bytes &key, const Bytes &data) {
  uint8_t out[KEY];
  HMAC(EVP_sha256(), key.data(), key.size(), raw(data), data.size(), out, nullptr);
  return bytes(out, KEY);
}

inline Bytes exchange(EVP_PKEY *own, const Bytes &theirs) {
  uint8_t out[KEY];
  size_t size = KEY;
  EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, raw(theirs), KEY);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, nullptr);
  bool good = EVP_PKEY_derive_init(context) > 0 && EVP_PKEY_derive_set_peer(context, peer) > 0 &&
              EVP_PKEY_derive(context, out, &size) > 0;
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(peer);
  return good ? bytes(out, KEY) : Bytes();
}

}  // namespace noise

struct NoiseCipherState {
  noise::Bytes key;
  uint64_t count = 0;

  // Encrypts (or decrypts) `size` bytes in place; the MAC is behind them. Says whether the MAC was right.
  bool crypt(bool encrypt, uint8_t *data, size_t size, const noise::Bytes &associated) {
    uint8_t nonce[12] = {};
    for (int i = 0; i < 8; i++)
      nonce[4 + i] = count >> 8 * i;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), nullptr, noise::raw(key), nonce, encrypt);
    int done;
    if (!encrypt)
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, noise::MAC, data + size);
    EVP_CipherUpdate(context, nullptr, &done, noise::raw(associated), associated.size());
    EVP_CipherUpdate(context, data, &done, data, size);
    bool good = EVP_CipherFinal_ex(context, data + size, &done) > 0;
    if (encrypt)
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, noise::MAC, data + size);
    EVP_CIPHER_CTX_free(context);
    count += good;
    return good;
  }
};

struct NoiseHandshakeState {
  noise::Bytes psk, prologue, hash, chaining, theirs;
  NoiseCipherState cipher;
  int action = NOISE_ACTION_NONE;

  void mix_hash(const noise::Bytes &data) { hash = noise::sha256(hash + data); }

  noise::Bytes derive(const noise::Bytes &data, noise::Bytes *third = nullptr) {
    noise::Bytes key = noise::hmac(chaining, data);
    chaining = noise::hmac(key, "\x01");
    noise::Bytes second = noise::hmac(key, chaining + "\x02");
    if (third != nullptr)
      *third = noise::hmac(key, second + "\x03");
    return second;
  }
  void mix_key(const noise::Bytes &data) { cipher = {derive(data)}; }
};

inline int noise_handshakestate_new_by_id(NoiseHandshakeState **state, const NoiseProtocolId *, int) {
  *state = new NoiseHandshakeState();
  return NOISE_ERROR_NONE;
}
inline void noise_handshakestate_free(NoiseHandshakeState *state) { delete state; }
inline int noise_handshakestate_get_action(NoiseHandshakeState *state) { return state->action; }
inline int noise_handshakestate_set_pre_shared_key(NoiseHandshakeState *state, const uint8_t *key, size_t size) {
  state->psk = noise::bytes(key, size);
  return size == noise::KEY ? NOISE_ERROR_NONE : NOISE_ERROR_INVALID_LENGTH;
}
inline int noise_handshakestate_set_prologue(NoiseHandshakeState *state, const void *data, size_t size) {
  state->prologue = noise::bytes(data, size);
  return NOISE_ERROR_NONE;
}

inline int noise_handshakestate_start(NoiseHandshakeState *state) {
  state->hash = state->chaining = noise::sha256("Noise_NNpsk0_25519_ChaChaPoly_SHA256");
  state->mix_hash(state->prologue);
  state->action = NOISE_ACTION_READ_MESSAGE;
  return NOISE_ERROR_NONE;
}

// -> psk, e
inline int noise_handshakestate_read_message(NoiseHandshakeState *state, NoiseBuffer *message, NoiseBuffer *) {
  if (message->size != noise::KEY + noise::MAC)
    return NOISE_ERROR_INVALID_LENGTH;
  noise::Bytes key;
  state->mix_hash(state->derive(state->psk, &key));
  state->cipher = {key};
  state->theirs = noise::bytes(message->data, noise::KEY);
  state->mix_hash(state->theirs);
  state->mix_key(state->theirs);
  noise::Bytes payload = noise::bytes(message->data + noise::KEY, noise::MAC);
  if (!state->cipher.crypt(false, message->data + noise::KEY, 0, state->hash))
    return NOISE_ERROR_MAC_FAILURE;
  state->mix_hash(payload);
  state->action = NOISE_ACTION_WRITE_MESSAGE;
  return NOISE_ERROR_NONE;
}

// <- e, ee
inline int noise_handshakestate_write_message(NoiseHandshakeState *state, NoiseBuffer *message, const NoiseBuffer *) {
  if (message->max_size < noise::KEY + noise::MAC)
    return NOISE_ERROR_INVALID_LENGTH;
  EVP_PKEY *own = EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519");
  size_t size = noise::KEY;
  EVP_PKEY_get_raw_public_key(own, message->data, &size);
  noise::Bytes ours = noise::bytes(message->data, noise::KEY), shared = noise::exchange(own, state->theirs);
  EVP_PKEY_free(own);
  if (shared.empty())
    return NOISE_ERROR_INVALID_PUBLIC_KEY;
  state->mix_hash(ours);
  state->mix_key(ours);
  state->mix_key(shared);
  state->cipher.crypt(true, message->data + noise::KEY, 0, state->hash);
  message->size = noise::KEY + noise::MAC;
  state->action = NOISE_ACTION_SPLIT;
  return NOISE_ERROR_NONE;
}

inline int noise_handshakestate_split(NoiseHandshakeState *state, NoiseCipherState **send, NoiseCipherState **receive) {
  noise::Bytes ours = state->derive("");
  *receive = new NoiseCipherState{state->chaining};
  *send = new NoiseCipherState{ours};
  return NOISE_ERROR_NONE;
}

inline size_t noise_cipherstate_get_mac_length(NoiseCipherState *) { return noise::MAC; }
inline void noise_cipherstate_free(NoiseCipherState *state) { delete state; }
inline int noise_cipherstate_encrypt(NoiseCipherState *state, NoiseBuffer *buffer) {
  if (buffer->max_size < buffer->size + noise::MAC)
    return NOISE_ERROR_INVALID_LENGTH;
  state->crypt(true, buffer->data, buffer->size, "");
  buffer->size += noise::MAC;
  return NOISE_ERROR_NONE;
}
inline int noise_cipherstate_decrypt(NoiseCipherState *state, NoiseBuffer *buffer) {
  if (buffer->size < noise::MAC)
    return NOISE_ERROR_INVALID_LENGTH;
  buffer->size -= noise::MAC;
  return state->crypt(false, buffer->data, buffer->size, "") ? NOISE_ERROR_NONE : NOISE_ERROR_MAC_FAILURE;
}
