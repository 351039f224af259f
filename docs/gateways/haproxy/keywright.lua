-- Asks Keywright whether a call may pass: lua.keywright URL TOKEN. What it answers stands in variables of the
-- transaction; keywright_status is 503 when it does not answer.

local timeout = 500 -- milliseconds that a client waits when Keywright does not answer

local identity = { "tenant-id", "application-id", "key-set-id", "key-id", "environment", "scopes", "assertion" }

-- values makes a list of all values of a header. HAProxy numbers them from 0.
local function values(header)
  local list = {}
  for _, value in pairs(header or {}) do
    list[#list + 1] = value
  end
  return list
end

core.register_action("keywright", { "http-req" }, function(txn, url, token)
  local sent = txn.http:req_get_headers()
  local headers = {
    ["x-keywright-gateway-token"] = { token },
    ["x-original-method"] = { txn.sf:method() },
    ["x-original-uri"] = { txn.sf:pathq() },
    ["x-real-ip"] = { tostring(txn.sf:src()) },
  }
  for _, name in ipairs({ "x-api-key", "authorization" }) do
    local found = values(sent[name])
    if #found > 0 then
      headers[name] = found
    end
  end

  txn:set_var("txn.keywright_status", 503)
  local answer = core.httpclient():get({ url = url, headers = headers, timeout = timeout })
  if not answer or not answer.status then
    return
  end
  local retry = answer.headers and answer.headers["retry-after"]
  txn:set_var("txn.keywright_retry", retry and retry[0] or "1")
  if answer.status == 200 then
    for _, name in ipairs(identity) do
      local value = answer.headers["x-keywright-" .. name]
      if not value then
        return -- this is not Keywright
      end
      txn:set_var("txn.keywright_" .. name:gsub("-", "_"), value[0])
    end
  end
  txn:set_var("txn.keywright_status", answer.status)
end, 2)
